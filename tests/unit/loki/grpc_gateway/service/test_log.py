"""WatchLogs as clients see it, on a real server and a real file."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import timestamp_pb2

from loki.actors.log.log_file import LogFile
from loki.core.log_record import LogRecord, to_line
from loki.grpc_gateway.service.log import MOST_FOLLOWERS, MOST_LINES
from loki.messages.log import LogConfig
from loki.v1 import log_pb2, service_pb2, service_pb2_grpc
from tests.unit.loki.grpc_gateway.rpc import status_of

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
TIMEOUT_S = 10


@pytest.fixture
def log(tmp_path: Path) -> LogFile:
    return LogFile(LogConfig(folder=str(tmp_path / "log"), files=2))


@pytest.fixture
def stub(shell: Any, host: Callable[..., Any], log: LogFile) -> Any:
    hosted = host(shell, log=LogConfig(folder=str(log.path.parent), files=log.files))
    with grpc.insecure_channel(hosted.address) as channel:
        stub = service_pb2_grpc.LokiServiceStub(channel)
        stub.hosted = hosted
        yield stub


def write(log: LogFile, message: str, level: str = "ERROR", **ids: str) -> None:
    record = LogRecord(time=AT, level=level, actor="hel", pid=7, message=message, **ids)
    log.append(to_line(record))


def messages(responses: Any) -> list[str]:
    return [response.record.message for response in responses]


def ask(stub: Any, **fields: Any) -> Any:
    request = service_pb2.WatchLogsRequest(**fields)
    return stub.WatchLogs(request, timeout=TIMEOUT_S)


def test_a_record_has_all_that_the_log_knows(stub: Any, log: LogFile) -> None:
    write(log, "it\nbroke", execution="x1", trace="t1", incident="12ab")
    (response,) = ask(stub, lines=5)
    expected = log_pb2.LogRecord(
        level=log_pb2.LOG_LEVEL_ERROR,
        actor="hel",
        pid=7,
        execution_id="x1",
        trace_id="t1",
        incident_id="12ab",
        message="it\nbroke",
    )
    expected.time.FromDatetime(AT)
    assert response.record == expected


def test_a_device_that_has_logged_nothing_tells_nothing(stub: Any) -> None:
    assert list(ask(stub, lines=5)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"lines": 2}, ["c", "d"]),
        ({"lines": 0}, []),
        ({"lines": MOST_LINES + 1}, ["a", "b", "c", "d"]),
        ({"lines": 9, "minimum_level": log_pb2.LOG_LEVEL_WARNING}, ["b", "c"]),
        ({"lines": 9, "actor": "hel"}, ["a", "b", "c", "d"]),
        ({"lines": 9, "actor": "fenrir"}, []),
        ({"lines": 9, "execution_id": "x1"}, ["a", "c"]),
        ({"lines": 1, "execution_id": "x1"}, ["c"]),
        ({"lines": 9, "incident_id": "12ab"}, ["c"]),
    ],
)
def test_a_client_gets_what_it_asks_for(
    stub: Any, log: LogFile, fields: dict[str, Any], expected: list[str]
) -> None:
    write(log, "a", "INFO", execution="x1")
    write(log, "b", "WARNING")
    write(log, "c", "CRITICAL", execution="x1", incident="12ab")
    write(log, "d", "DEBUG")
    assert messages(ask(stub, **fields)) == expected


def test_who_follows_gets_what_comes_also_from_the_next_file(stub: Any, log: LogFile) -> None:
    write(log, "before")
    call = ask(stub, lines=1, follow=True)
    assert next(call).record.message == "before"
    write(log, "one")
    assert next(call).record.message == "one"
    log.path.replace(log.older(1))
    write(log, "two")
    assert next(call).record.message == "two"
    call.cancel()


def test_who_follows_is_told_of_the_gateways_end(stub: Any, log: LogFile) -> None:
    write(log, "before")
    call = ask(stub, lines=1, follow=True)
    next(call)
    ended = stub.hosted.drain(TIMEOUT_S)
    with pytest.raises(grpc.RpcError) as raised:
        next(call)
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.UNAVAILABLE
    assert b"DRAINING" in details["ErrorInfo"].value
    ended.result(TIMEOUT_S)


def test_so_many_may_follow_and_no_more(stub: Any, log: LogFile) -> None:
    write(log, "before")
    calls = [ask(stub, lines=1, follow=True) for _ in range(MOST_FOLLOWERS)]
    for call in calls:
        next(call)
    with pytest.raises(grpc.RpcError) as raised:
        next(ask(stub, follow=True))
    assert status_of(raised.value)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert messages(ask(stub, lines=1)) == ["before"]
    for call in calls:
        call.cancel()


def test_whoever_left_makes_room(stub: Any, log: LogFile) -> None:
    write(log, "before")
    for _ in range(3 * MOST_FOLLOWERS):
        end_s = time.monotonic() + TIMEOUT_S
        while not follows(stub):  # The server may not know yet that the last one has left.
            assert time.monotonic() < end_s, "nobody makes room"


def follows(stub: Any) -> bool:
    """Whether there is room for a follower, who leaves at once."""
    call = ask(stub, lines=1, follow=True)
    try:
        record = next(call).record
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return False
    call.cancel()
    return bool(record.message == "before")


def test_a_client_that_comes_back_gets_what_was_logged_since(stub: Any, log: LogFile) -> None:
    write(log, "before")
    call = ask(stub, lines=1, follow=True)
    began_ns = int(dict(call.initial_metadata())["loki-log-time"])
    assert abs(began_ns / 1e9 - time.time()) < TIMEOUT_S
    record = next(call).record
    call.cancel()
    write(log, "at the same moment")
    assert messages(ask(stub, lines=5, after=record.time)) == []
    record.time.nanos -= 1000
    assert messages(ask(stub, lines=5, after=record.time)) == ["before", "at the same moment"]


NEVER = timestamp_pb2.Timestamp(seconds=10**15)


@pytest.mark.parametrize("fields", [{"lines": -1}, {"minimum_level": 99}, {"after": NEVER}])
def test_what_makes_no_sense_is_refused(stub: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        list(ask(stub, **fields))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
