"""When the history goes to the disk, and what happens while nobody takes it there."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from loki.actors.dispatcher.archivist import LAG_S, Archivist
from loki.clock import FakeClock
from loki.core.history.history import History
from loki.core.history.unwritten import Unwritten
from loki.errors import ErrorCode, ServiceUnavailable
from loki.messages.archive import (
    SESSION_BITS,
    ArchiveOpened,
    FindKept,
    KeepExecutions,
    KeptFound,
    OpenArchive,
)
from loki.messages.envelope import Done, Failure
from loki.messages.execution import Cause

AWAY = Failure(code=ErrorCode.CHILD_DOWN, message="hel is not there")


@dataclass
class FakeTimer:
    delay_s: float
    action: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeShell:
    """Requests and timers wait for the test to answer and to fire them."""

    log = logging.getLogger("loki.test")

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.requests: list[tuple[Any, Callable[[Any], None]]] = []
        self.timers: list[FakeTimer] = []

    def request(
        self, peer: str, request: Any, then: Callable[[Any], None], *, timeout_s: float
    ) -> None:
        assert (peer, timeout_s > 0) == ("hel", True)
        self.requests.append((request, then))

    def later(self, delay_s: float, action: Callable[[], None]) -> FakeTimer:
        self.timers.append(FakeTimer(delay_s, action))
        return self.timers[-1]


class Desk:
    """An archivist, a history that it brings away, and a keeper that is slow to answer."""

    def __init__(self, **bounds: int) -> None:
        self.shell = FakeShell()
        self.unwritten = Unwritten(**bounds)
        self.history = History(0, self.unwritten)
        self.archivist = Archivist(
            self.shell,  # type: ignore[arg-type]  # As much as it needs.
            "hel",
            self.history,
            self.unwritten,
        )

    def run(self, *runs: str) -> None:
        for run in runs:
            self.history.submitted(run, "average", "local", 1)
            self.archivist.noted()
            self.history.ended(run, Cause.FINISHED, b"", 2)
            self.archivist.noted()

    def answer(self, reply: Any) -> Any:
        """The request that it is a reply to: the only one there is."""
        ((request, then),) = self.shell.requests
        self.shell.requests = []
        then(reply)
        return request

    def kept(self, reply: Any = Done()) -> list[str]:  # noqa: B008  # It is frozen.
        return [each.id for each in self.answer(reply).executions]

    def fire(self) -> float:
        """The one timer that is set, after how long."""
        (timer,) = (each for each in self.shell.timers if not each.cancelled)
        self.shell.timers = []
        timer.action()
        return timer.delay_s

    @property
    def idle(self) -> bool:
        return not self.shell.requests and all(each.cancelled for each in self.shell.timers)


@pytest.fixture
def desk() -> Desk:
    """Whose archive is open."""
    opened = Desk(batch=3, most=4)
    opened.archivist.begin()
    assert opened.answer(ArchiveOpened(session=2)) == OpenArchive(now_ns=0)
    assert opened.idle
    return opened


def test_what_happens_within_the_lag_is_written_together_and_once(desk: Desk) -> None:
    desk.run("a", "b")
    assert not desk.shell.requests
    assert desk.fire() == LAG_S
    ((request, _),) = desk.shell.requests
    assert isinstance(request, KeepExecutions)
    assert (request.session, [each.number for each in request.executions]) == (
        2,
        [(2 << SESSION_BITS) + 1, (2 << SESSION_BITS) + 2],
    )
    assert desk.kept() == ["a", "b"]
    assert desk.idle  # And writes nothing more.


def test_a_full_batch_does_not_wait(desk: Desk) -> None:
    desk.run("a", "b", "c")
    assert desk.kept() == ["a", "b", "c"]
    assert len(desk.unwritten) == 1  # "c" was taken when it began: its end comes with the next.
    assert desk.fire() == LAG_S
    assert desk.kept() == ["c"]


def test_what_comes_while_a_batch_is_on_its_way_goes_with_the_next(desk: Desk) -> None:
    desk.run("a")
    desk.fire()
    desk.run("b")
    assert desk.kept() == ["a"]
    assert desk.fire() == LAG_S
    assert desk.kept() == ["b"]


def test_a_keeper_that_is_away_is_asked_ever_more_slowly_and_gets_all(desk: Desk) -> None:
    desk.run("a")
    desk.fire()
    waits = []
    for _ in range(8):
        desk.kept(AWAY)
        waits.append(desk.fire())
    assert 0.5 <= waits[0] < waits[1] < waits[2] < 3
    assert max(waits) <= 12
    desk.run("b")
    assert desk.kept(AWAY) == ["a"]
    desk.fire()
    assert desk.kept() == ["a", "b"]
    assert desk.idle


def test_beyond_what_there_is_room_for_the_oldest_go_and_the_log_says_so_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.run("a")
    desk.fire()
    desk.run("b", "c", "d", "e", "f")
    assert caplog.messages == [
        "hel does not take the history of executions: the oldest that wait are dropped"
    ]
    assert desk.kept() == ["a"]
    assert caplog.messages[1:] == ["2 changes of executions are not in the history"]
    assert desk.kept() == ["c", "d", "e"]
    desk.fire()
    assert desk.kept() == ["f"]
    assert len(caplog.messages) == 2


def test_an_archive_that_does_not_open_is_opened_later() -> None:
    late = Desk()
    late.archivist.begin()
    late.run("a")
    late.answer(AWAY)
    with pytest.raises(ServiceUnavailable, match="hel does not answer"):
        late.archivist.ask(FindKept(run="x"), lambda _: Done())
    late.fire()
    late.answer(ArchiveOpened(session=1))
    late.fire()
    assert late.kept() == ["a"]


def test_what_the_keeper_says_is_the_answer(desk: Desk) -> None:
    found = KeptFound(execution=None, begins_ns=5)
    answer = desk.archivist.ask(FindKept(run="x"), lambda reply: reply)
    assert desk.answer(found) == FindKept(run="x")
    assert answer.result(0) == found
    answer = desk.archivist.ask(FindKept(run="x"), lambda reply: reply)
    desk.answer(AWAY)
    with pytest.raises(ServiceUnavailable, match="hel is not there"):
        answer.result(0)


# The end.


def test_at_the_end_the_rest_is_written_first(desk: Desk) -> None:
    ended: list[bool] = []
    desk.run("a", "b")
    desk.archivist.close(1.0, lambda: ended.append(True))
    assert not ended
    assert desk.kept() == ["a", "b"]
    assert ended == [True]


def test_where_nothing_waits_the_end_is_at_once(desk: Desk) -> None:
    ended: list[bool] = []
    desk.archivist.close(1.0, lambda: ended.append(True))
    assert ended == [True]


def test_the_end_waits_for_what_is_on_its_way_and_what_came_meanwhile(desk: Desk) -> None:
    ended: list[bool] = []
    desk.run("a")
    desk.fire()
    desk.run("b")
    desk.archivist.close(1.0, lambda: ended.append(True))
    assert desk.kept() == ["a"]
    assert not ended
    assert desk.kept() == ["b"]
    assert ended == [True]


def test_a_keeper_that_is_away_does_not_keep_the_dispatcher(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[bool] = []
    desk.run("a")
    desk.archivist.close(1.0, lambda: ended.append(True))
    desk.kept(AWAY)
    grace = next(each for each in desk.shell.timers if each.delay_s < 1 and not each.cancelled)
    grace.action()
    assert ended == [True]
    assert caplog.messages == ["hel did not take the last of the history: 1 executions"]
    grace.action()
    assert ended == [True]


def test_a_keeper_that_cannot_write_is_not_asked_again_at_the_end(desk: Desk) -> None:
    ended: list[bool] = []
    desk.run("a")
    desk.archivist.close(1.0, lambda: ended.append(True))
    desk.kept(Failure(code=ErrorCode.IO, message="the disk is full"))
    assert ended == [True]
