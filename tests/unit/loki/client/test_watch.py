"""The client's watches: what they give, and how one is resumed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from loki.client import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    FollowReport,
    LokiClient,
    LokiClientError,
    ScriptChanged,
)
from loki.client.watch import EventWatch, follow
from loki.messages import event as messages
from loki.messages.event import Event, EventRecorded, Fact, ScriptChange, SubscribeEvents
from loki.messages.lifecycle import ChildState
from loki.messages.script import Origin
from loki.v1 import event_pb2, service_pb2
from tests.unit.loki.conftest import TIMEOUT_S, recalled

FACTS: tuple[Fact, ...] = (
    messages.ChildChanged(
        child="hel", state=ChildState.RESTARTING, pid=7, incarnation=3, restarts=2, reason="killed"
    ),
    messages.ScriptChanged(
        name="a", revision="r", change=ScriptChange.ADDED, origin=Origin.REGISTERED
    ),
    messages.ConfigRejected(file="tools.toml:3", problem="no"),
    messages.BudgetWarned(
        run="x", script="a", limit="max_memory_mb", used=8.5, allowed=10, left_out=4
    ),
)
EVENTS = [Event(sequence=n, time_ns=n * 10**9, fact=fact) for n, fact in enumerate(FACTS, 1)]


def at(sequence: int) -> dict[str, Any]:
    return {"sequence": sequence, "time": datetime.fromtimestamp(sequence, UTC)}


@pytest.fixture
def hosted(shell: Any, host: Any) -> Any:
    shell.answers[SubscribeEvents] = lambda _: recalled(*EVENTS)
    return host(shell)


@pytest.fixture
def client(hosted: Any) -> Any:
    with LokiClient(hosted.address, patience_s=0) as client:
        yield client


def test_each_event_as_plain_python(client: LokiClient) -> None:
    with client.watch_events(include_recent=True) as watch:
        assert list(watch.recent()) == [
            ChildChanged(
                **at(1),
                child="hel",
                state="restarting",
                pid=7,
                incarnation=3,
                restarts=2,
                reason="killed",
            ),
            ScriptChanged(**at(2), name="a", revision="r", change="added", origin="registered"),
            ConfigRejected(**at(3), file="tools.toml:3", problem="no"),
            BudgetWarned(
                **at(4),
                execution_id="x",
                script="a",
                limit="max_memory_mb",
                used=8.5,
                allowed=10,
                left_out=4,
            ),
        ]
        assert (watch.sequence, watch.log_id) == (4, "log")


def test_only_new_events_unless_asked(client: LokiClient, hosted: Any) -> None:
    with client.watch_events() as watch:
        watch.start()
        assert watch.sequence == 4
        news = Event(sequence=5, time_ns=0, fact=FACTS[0])
        hosted.deliver(EventRecorded(event=news), peer="loki", kin=True)
        assert next(watch).sequence == 5


def test_kinds_and_resumption(client: LokiClient) -> None:
    with client.watch_events(["script", "budget"], include_recent=True) as watch:
        assert [event.sequence for event in watch.recent()] == [2, 4]
    with client.watch_events(after_sequence=3, log_id="log") as watch:
        assert [event.sequence for event in watch.recent()] == [4]
    with pytest.raises(ValueError, match="'fault' is no kind of event; there are child"):
        client.watch_events(["fault"])


def test_a_watch_ends_with_the_server(client: LokiClient, hosted: Any) -> None:
    with client.watch_events() as watch:
        watch.start()
        hosted.drain(0).result(TIMEOUT_S)
        with pytest.raises(LokiClientError) as caught:
            next(watch)
        assert caught.value.reason == "DRAINING"


# Following, against servers that a test makes up.


class Down(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "gone"

    def trailing_metadata(self) -> tuple[()]:
        return ()


class Call(Iterator[service_pb2.WatchEventsResponse]):
    def __init__(self, *items: Any) -> None:
        self._items = list(items)

    def __next__(self) -> service_pb2.WatchEventsResponse:
        if not self._items:
            raise StopIteration
        item: service_pb2.WatchEventsResponse = self._items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def cancel(self) -> None:
        """There is no server to tell."""


def started(log_id: str = "a", recent: int = 0, sequence: int = 0, **more: Any) -> Any:
    return service_pb2.WatchEventsResponse(
        started=event_pb2.WatchStarted(sequence=sequence, log_id=log_id, recent=recent, **more)
    )


def told(sequence: int, left_out: int = 0) -> Any:
    event = event_pb2.SystemEvent(
        sequence=sequence, config_rejected=event_pb2.ConfigRejected(file="f", problem="p")
    )
    return service_pb2.WatchEventsResponse(event=event, left_out=left_out)


class Report(FollowReport):
    def __init__(self) -> None:
        self.said: list[str] = []

    def lost(self, error: LokiClientError) -> None:
        self.said.append(f"lost: {error.message}")

    def back(self) -> None:
        self.said.append("back")

    def missed(self, events: int) -> None:
        self.said.append(f"missed {events}")


def followed(*calls: Call) -> tuple[list[int], list[tuple[int, str]], list[str], Any]:
    """The events, what each watch asked for, what was reported, and how it ended."""
    asked: list[tuple[int, str]] = []
    report = Report()
    left = list(calls)

    def open_watch(sequence: int, log_id: str) -> EventWatch:
        asked.append((sequence, log_id))
        return EventWatch(left.pop(0), sequence, log_id)

    seen: list[int] = []
    events = follow(open_watch, report)
    with pytest.raises(LokiClientError) as caught:
        seen.extend(event.sequence for event in events)
    return seen, asked, report.said, caught.value.code


REFUSED = Down(grpc.StatusCode.PERMISSION_DENIED)


def test_following_goes_on_where_it_was() -> None:
    first = Call(started(recent=1, sequence=1), told(1), told(2), Down())
    seen, asked, said, end = followed(
        first, Call(Down()), Call(Down()), Call(started(recent=1, sequence=3), told(3), REFUSED)
    )
    assert seen == [1, 2, 3]
    assert asked == [(0, ""), (2, "a"), (2, "a"), (2, "a")]
    assert said == ["lost: gone", "back"]
    assert end is grpc.StatusCode.PERMISSION_DENIED


def test_a_server_that_was_never_there_is_not_waited_for() -> None:
    seen, asked, said, end = followed(Call(Down()))
    assert (seen, len(asked), said, end) == ([], 1, [], grpc.StatusCode.UNAVAILABLE)


def test_nothing_happened_before_the_loss_and_nothing_is_missed() -> None:
    _, asked, _, _ = followed(Call(started(sequence=7), Down()), Call(started(), REFUSED))
    assert asked[1] == (7, "a")


def test_of_a_new_log_nothing_was_read_yet() -> None:
    _, asked, said, _ = followed(
        Call(started(sequence=70), Down()),
        Call(started("b", recent=2, sequence=2, incomplete=True), Down()),
        Call(started("b", recent=2, sequence=2), told(1), told(2), REFUSED),
    )
    assert asked[1:] == [(70, "a"), (0, "b")]
    assert said[:3] == ["lost: gone", "back", "missed 0"]


def test_what_was_read_too_slowly_is_reported() -> None:
    _, _, said, _ = followed(Call(started(), told(1), told(5, 3), told(6), told(9, 2), REFUSED))
    assert said == ["missed 3", "missed 2"]


def test_an_event_of_a_newer_server_is_passed_over() -> None:
    unknown = service_pb2.WatchEventsResponse(event=event_pb2.SystemEvent(sequence=1))
    seen, _, _, _ = followed(Call(started(recent=1, sequence=1), unknown, told(2), REFUSED))
    assert seen == [2]


def test_a_watch_that_ends_well_is_begun_anew_too() -> None:
    seen, _, said, _ = followed(Call(started(), told(1)), Call(), Call(started(), told(2), REFUSED))
    assert seen == [1, 2]
    assert said == ["lost: the server ended the watch", "back"]


def test_a_server_that_stays_away_ends_it_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    clock = iter(range(1000))
    monkeypatch.setattr("loki.client.watch.time.sleep", pauses.append)
    monkeypatch.setattr("loki.client.watch.time.monotonic", lambda: float(next(clock)))
    calls: list[Callable[[], Call]] = [lambda: Call(started(), Down())]

    def open_watch(sequence: int, log_id: str) -> EventWatch:
        return EventWatch(calls.pop()() if calls else Call(Down()), sequence, log_id)

    with pytest.raises(LokiClientError):
        list(follow(open_watch, Report(), patience_s=20))
    assert len(pauses) == 20
    assert pauses[:3] == [0.05, 0.1, 0.2]
    assert max(pauses) == 1.0
