"""The gateway's copy of the log, and what each watch gets of it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.errors import PermissionRefused, ResourceLimitExceeded, ServiceUnavailable
from loki.grpc_gateway.service.event_hub import MOST_WAITING, MOST_WATCHES, EventHub, Watch
from loki.grpc_gateway.service.health import Health
from loki.messages.envelope import Message
from loki.messages.event import (
    ChildChanged,
    ConfigRejected,
    Event,
    EventKind,
    EventRecorded,
    SubscribeEvents,
)
from loki.messages.lifecycle import ChildState
from tests.unit.loki.conftest import FakeShell, recalled

ALL: frozenset[EventKind] = frozenset()
ROOT = Context(peer="loki", peer_pid=1, kin=True, run="", trace="", deadline_s=None)
STRANGERS = [
    Context(peer="loki", peer_pid=9, kin=False, run="", trace="", deadline_s=None),
    Context(peer="hel", peer_pid=9, kin=True, run="", trace="", deadline_s=None),
]


def event(sequence: int) -> Event:
    return Event(sequence=sequence, time_ns=0, fact=ConfigRejected(file="f", problem="p"))


def child_event(sequence: int, state: ChildState = ChildState.UP) -> Event:
    return Event(sequence=sequence, time_ns=0, fact=ChildChanged(child="hel", state=state))


class Root(FakeShell):
    """Answers the hub with `events`; time passes when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.log_id = "log"
        self.away = False
        self.timers: list[Callable[[], None]] = []
        self.answers[SubscribeEvents] = self._answer

    def _answer(self, _request: Message) -> Message:
        if self.away:
            raise ServiceUnavailable("loki is not there")
        return recalled(*self.events, log_id=self.log_id)

    def later(self, delay_s: float, action: Callable[[], None]) -> Any:
        self.timers.append(action)

    def pass_time(self) -> None:
        due, self.timers = self.timers, []
        for action in due:
            action()

    @property
    def asked(self) -> int:
        return len(self.sent(SubscribeEvents))


class Scene:
    def __init__(self) -> None:
        self.root = Root()
        self.health = Health()
        self.hub = EventHub(self.root, self.health, whole=("",))

    def record(self, *events: Event, context: Context = ROOT) -> None:
        for each in events:
            self.root.events.append(each)
            self.hub.handlers()[EventRecorded](EventRecorded(event=each), context)

    def watch(
        self,
        after: int = 0,
        *kinds: EventKind,
        recent: bool = False,
        log_id: str = "",
        holder: str = "",
    ) -> Any:
        return self.hub.watch(frozenset(kinds), after, log_id, include_recent=recent, holder=holder)


def play(test: Callable[[Scene], Coroutine[Any, Any, None]], *, away: bool = False) -> None:
    async def live() -> None:
        scene = Scene()
        scene.root.away = away
        await scene.hub.begin()
        await asyncio.wait_for(test(scene), 60)

    asyncio.run(live())


async def numbers(watch: Watch, count: int) -> list[int]:
    return [(await watch.next())[0].sequence for _ in range(count)]


def test_many_watches_cost_the_root_one_subscription() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch() as one, scene.watch() as two:
            scene.record(event(1), event(2))
            assert await numbers(one, 2) == await numbers(two, 2) == [1, 2]
        assert scene.root.asked == 1

    play(test)


def test_a_watch_begins_without_a_gap_or_a_double() -> None:
    async def test(scene: Scene) -> None:
        scene.record(event(1), child_event(2))
        with scene.watch(recent=True) as watch:
            assert [e.sequence for e in watch.recall.events] == [1, 2]
            assert (watch.last, watch.log_id) == (2, "log")
            scene.record(event(3))
            assert await numbers(watch, 1) == [3]
        with scene.watch(2) as resumed:
            assert [e.sequence for e in resumed.recall.events] == [3]

    play(test)


def test_only_the_kinds_that_were_asked_for() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch(0, EventKind.CHILD_CHANGED) as watch:
            scene.record(event(1), child_event(2), event(3), child_event(4))
            assert await numbers(watch, 2) == [2, 4]

    play(test)


def test_what_the_caller_may_not_hear_is_neither_recalled_nor_told() -> None:
    async def test(scene: Scene) -> None:
        scene.record(event(1), child_event(2))
        told = scene.hub.watch(
            frozenset(),
            0,
            "",
            include_recent=True,
            hears=lambda fact: isinstance(fact, ChildChanged),
        )
        with told as watch:
            assert [each.sequence for each in watch.recall.events] == [2]
            scene.record(event(3), child_event(4))
            heard, left_out = await watch.next()
            assert (heard.sequence, left_out) == (4, 0)

    play(test)


def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch() as slow, scene.watch() as quick:
            scene.record(*map(event, range(1, 6)))
            assert await numbers(quick, 5) == [1, 2, 3, 4, 5]
            scene.record(*map(event, range(6, MOST_WAITING + 6)))
            first, lost = await slow.next()
            assert (first.sequence, lost) == (6, 5)
            assert (await slow.next())[1] == 0

    play(test)


def test_a_hole_in_the_numbers_is_filled_by_asking_again() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch() as watch:
            scene.record(event(1))
            scene.root.events.append(event(2))  # It was lost on its way.
            scene.record(event(3), event(4))
            assert await numbers(watch, 4) == [1, 2, 3, 4]
        assert scene.root.asked == 2

    play(test)


def test_an_event_that_comes_twice_is_told_once() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch() as watch:
            scene.record(event(1), event(1), event(2))
            assert await numbers(watch, 2) == [1, 2]

    play(test)


@pytest.mark.parametrize("stranger", STRANGERS, ids=["not kin", "not the root"])
def test_nobody_else_can_tell_events(stranger: Context) -> None:
    async def test(scene: Scene) -> None:
        with pytest.raises(PermissionRefused):
            scene.record(event(1), context=stranger)

    play(test)


def test_a_lost_root_is_asked_again_until_it_answers() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch() as watch:
            scene.record(event(1))
            scene.root.away = True
            scene.hub.lost("loki")
            assert scene.health._serving == {"": False, "dispatcher": False}
            scene.root.pass_time()
            scene.root.away = False
            scene.root.events.append(event(2))
            scene.root.pass_time()
            assert await numbers(watch, 2) == [1, 2]
        assert scene.health._serving == {"": True, "dispatcher": True}
        assert scene.root.timers == []

    play(test)


def test_the_end_of_another_peer_changes_nothing() -> None:
    async def test(scene: Scene) -> None:
        scene.hub.lost("hel")
        assert scene.root.timers == []
        assert scene.health._serving[""]

    play(test)


def test_a_new_log_is_told_from_its_beginning() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch() as watch:
            scene.record(event(1), event(2))
            scene.root.events, scene.root.log_id = [event(1)], "another"
            scene.hub.lost("loki")
            scene.root.pass_time()
            assert await numbers(watch, 3) == [1, 2, 1]
        with scene.watch(2, log_id="log") as resumed:
            assert [e.sequence for e in resumed.recall.events] == [1]
            assert not resumed.recall.complete

    play(test)


def test_without_the_root_there_is_no_watch_yet() -> None:
    async def test(scene: Scene) -> None:
        with pytest.raises(ServiceUnavailable, match="try again"), scene.watch():
            pass
        assert scene.health._serving == {"": False}
        scene.root.away = False
        scene.root.pass_time()
        with scene.watch():
            assert scene.health._serving[""]

    play(test, away=True)


def test_the_number_of_watches_is_bounded() -> None:
    async def test(scene: Scene) -> None:
        with ExitStack() as stack:
            for _ in range(MOST_WATCHES * 3 // 4):
                stack.enter_context(scene.watch())
            with pytest.raises(ResourceLimitExceeded), scene.watch():
                pass
            with scene.watch(holder="another"):  # One that watches much keeps nobody out.
                pass
        with scene.watch():
            pass

    play(test)


def test_the_end_comes_after_what_was_told() -> None:
    async def test(scene: Scene) -> None:
        with scene.watch() as watch, scene.watch() as idle:
            waiting = asyncio.create_task(idle.next())
            scene.record(event(1))
            scene.hub.close()
            assert await numbers(watch, 1) == [1]
            assert (await waiting)[0].sequence == 1
            for each in watch, idle:
                with pytest.raises(ServiceUnavailable):
                    await each.next()
        with pytest.raises(ServiceUnavailable), scene.watch():
            pass

    play(test)
