"""WatchEvents over a real channel: what a client asks, and how each event looks to it."""

from typing import Any

import grpc
import pytest

from loki.grpc_gateway.convert.event import event_to_proto
from loki.messages.event import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    Event,
    EventRecorded,
    Fact,
    ScriptChange,
    ScriptChanged,
    SubscribeEvents,
)
from loki.messages.lifecycle import ChildState
from loki.messages.script import Origin
from loki.v1 import device_pb2, event_pb2, script_pb2, service_pb2
from tests.unit.loki.conftest import TIMEOUT_S, recalled
from tests.unit.loki.grpc_gateway.rpc import status_of

CHILD = ChildChanged(
    child="hel", state=ChildState.UP, pid=7, incarnation=3, restarts=2, reason="killed"
)
SCRIPT = ScriptChanged(
    name="a", revision="r", change=ScriptChange.REMOVED, origin=Origin.REGISTERED
)
CONFIG = ConfigRejected(file="tools.toml:3", problem="no")
BUDGET = BudgetWarned(run="x", script="a", limit="max_memory_mb", used=8.5, allowed=10, left_out=4)

CASES = [
    (
        CHILD,
        "child_changed",
        event_pb2.ChildChanged(
            child="hel",
            state=device_pb2.CHILD_STATE_UP,
            pid=7,
            incarnation=3,
            restarts=2,
            reason="killed",
        ),
    ),
    (
        SCRIPT,
        "script_changed",
        event_pb2.ScriptChanged(
            name="a",
            revision="r",
            change=event_pb2.SCRIPT_CHANGE_REMOVED,
            origin=script_pb2.SCRIPT_ORIGIN_REGISTERED,
        ),
    ),
    (CONFIG, "config_rejected", event_pb2.ConfigRejected(file="tools.toml:3", problem="no")),
    (
        BUDGET,
        "budget_warned",
        event_pb2.BudgetWarned(
            execution_id="x", script="a", limit="max_memory_mb", used=8.5, allowed=10, left_out=4
        ),
    ),
]


def event(sequence: int, fact: Fact = CONFIG) -> Event:
    return Event(sequence=sequence, time_ns=1_500_000_000, fact=fact)


@pytest.mark.parametrize(("fact", "field", "expected"), CASES, ids=[case[1] for case in CASES])
def test_each_fact_as_the_api_shows_it(fact: Fact, field: str, expected: Any) -> None:
    told = event_to_proto(event(5, fact))
    assert (told.sequence, told.time.ToNanoseconds()) == (5, 1_500_000_000)
    assert told.WhichOneof("fact") == field
    assert getattr(told, field) == expected


def test_a_client_knows_at_once_that_it_watches(hosted: Any, stub: Any) -> None:
    watch = stub.WatchEvents(service_pb2.WatchEventsRequest())
    started = next(watch).started
    assert started == event_pb2.WatchStarted(sequence=0, log_id="log")
    hosted.deliver(EventRecorded(event=event(1)), peer="loki", kin=True)
    assert next(watch).event.sequence == 1
    watch.cancel()


def test_recent_events_come_first_and_are_counted(shell: Any, host: Any) -> None:
    shell.answers[SubscribeEvents] = lambda _: recalled(event(1), event(2, CHILD), event(3))
    hosted = host(shell)
    with grpc.insecure_channel(hosted.address) as channel:
        method = channel.unary_stream(
            "/loki.v1.LokiService/WatchEvents",
            request_serializer=service_pb2.WatchEventsRequest.SerializeToString,
            response_deserializer=service_pb2.WatchEventsResponse.FromString,
        )
        asked = service_pb2.WatchEventsRequest(
            kinds=[event_pb2.EVENT_KIND_CONFIG_REJECTED], include_recent=True
        )
        watch = method(asked)
        assert next(watch).started == event_pb2.WatchStarted(sequence=3, log_id="log", recent=2)
        hosted.deliver(EventRecorded(event=event(4)), peer="loki", kin=True)
        assert [next(watch).event.sequence for _ in range(3)] == [1, 3, 4]
        watch.cancel()
        resumed = method(service_pb2.WatchEventsRequest(after_sequence=9, log_id="before"))
        started = next(resumed).started
        assert (started.recent, started.incomplete) == (4, True)
        resumed.cancel()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (service_pb2.WatchEventsRequest(kinds=[0]), "kinds"),
        (service_pb2.WatchEventsRequest(kinds=[99]), "kinds"),
        (service_pb2.WatchEventsRequest(after_sequence=-1), "after_sequence"),
    ],
)
def test_what_cannot_be_asked_is_refused(stub: Any, request_: Any, field: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        next(stub.WatchEvents(request_))
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert field.encode() in details["BadRequest"].value


def test_a_client_that_does_not_read_costs_little_and_is_told_what_it_lost(
    hosted: Any, stub: Any
) -> None:
    watch = stub.WatchEvents(service_pb2.WatchEventsRequest())
    next(watch)
    count = 20_000
    long = ConfigRejected(file="f", problem="x" * 1000)
    hosted.deliver(
        *(EventRecorded(event=event(n, long)) for n in range(1, count + 1)), peer="loki", kin=True
    )
    got = lost = last = 0
    while last < count:
        told = next(watch)
        got, lost, last = got + 1, lost + told.left_out, told.event.sequence
        assert last == got + lost  # Whatever is missing was admitted, in its place.
    assert lost > count / 2
    watch.cancel()


def test_a_stopping_gateway_ends_the_watches_at_once(hosted: Any, stub: Any) -> None:
    watch = stub.WatchEvents(service_pb2.WatchEventsRequest())
    next(watch)
    hosted.drain(1000).result(TIMEOUT_S)  # Far less than the grace: it waits for none of them.
    with pytest.raises(grpc.RpcError) as raised:
        next(watch)
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.UNAVAILABLE
    assert b"DRAINING" in details["ErrorInfo"].value
