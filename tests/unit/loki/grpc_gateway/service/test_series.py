"""Time series as clients see them: each call becomes a message to the child that keeps data."""

import threading
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from loki.errors import ErrorCode, IoError, ServiceUnavailable
from loki.grpc_gateway.service.series import SeriesServicer
from loki.messages.access import ClientRole
from loki.messages.series import (
    AggregateRows,
    EraseSeries,
    ListAllSeries,
    ReadRows,
    RowsRead,
    SeriesEntry,
    SeriesErased,
    SeriesPage,
    WindowsAggregated,
)
from loki.v1 import series_pb2, series_pb2_grpc
from tests.unit.loki.conftest import TIMEOUT_S, FakeShell, Hosted
from tests.unit.loki.grpc_gateway.rpc import status_of


@pytest.fixture
def series(shell: FakeShell, host: Callable[..., Hosted]) -> Iterator[Any]:
    """A stub on a gateway that knows who keeps data."""
    hosted = host(shell, keeper="hel")
    with grpc.insecure_channel(hosted.address) as channel:
        stub = series_pb2_grpc.SeriesServiceStub(channel)
        stub.hosted = hosted
        yield stub


def rows(*times_ns: int, following: ReadRows | None = None) -> RowsRead:
    return RowsRead(
        times_ns=array("q", times_ns).tobytes(),
        values=array("d", [time / 2 for time in times_ns]).tobytes(),
        qualities=bytes(len(times_ns)),
        next=following,
    )


def test_series_are_listed_a_page_at_a_time(shell: FakeShell, series: Any) -> None:
    entry = SeriesEntry(
        script="trend",
        name="t1",
        rows=7,
        oldest_ns=1_500_000_000,
        newest_ns=None,
        size_bytes=9,
        attributes={"unit": "°C", "gain": 2, "fine": True},
    )
    shell.answers[ListAllSeries] = lambda _: SeriesPage(series=(entry,), next_page="trend/t1")
    answer = series.ListSeries(
        series_pb2.ListSeriesRequest(script="t*", page_size=5, page_token="a/b")
    )
    ((peer, asked, timeout_s),) = shell.sent(ListAllSeries)
    assert peer == "hel"
    assert asked == ListAllSeries(script="t*", name="*", page_size=5, page="a/b")
    assert timeout_s == 10.0
    (found,) = answer.series
    assert answer.next_page_token == "trend/t1"
    assert (found.script, found.name, found.rows, found.size_bytes) == ("trend", "t1", 7, 9)
    assert (found.first_time.seconds, found.first_time.nanos) == (1, 500_000_000)
    assert not found.HasField("last_time")
    assert found.unit == "°C"
    assert found.attributes["gain"].int_value == 2
    assert found.attributes["fine"].bool_value


def test_rows_come_batch_by_batch(shell: FakeShell, series: Any) -> None:
    following = ReadRows(script="trend", name="t1", start_ns=3, skip=1, timeout_s=1.0)
    answers = {0: rows(1, 3, following=following), 1: rows(3, 5)}
    shell.answers[ReadRows] = lambda request: answers[request.skip]
    request = series_pb2.ReadSeriesRequest(script="trend", name="t1", limit=9, newest=True)
    request.start_time.FromNanoseconds(1)
    request.end_time.FromNanoseconds(9)
    first, second = series.ReadSeries(request, timeout=60)
    assert list(first.times_ns) == [1, 3]
    assert list(first.values) == [0.5, 1.5]
    assert first.qualities == bytes(2)
    assert list(second.times_ns) == [3, 5]
    asked = [message for _, message, _ in shell.sent(ReadRows)]
    assert (asked[0].start_ns, asked[0].end_ns) == (1, 9)
    assert (asked[0].limit, asked[0].newest) == (9, True)
    assert 50 < asked[0].timeout_s < 65  # gRPC rounds deadlines up.
    assert asked[1] == following


def test_a_reader_that_leaves_ends_the_reading(shell: FakeShell, series: Any) -> None:
    """Each block is as long as what waits for a slow reader may be, so that few are asked."""
    endless = ReadRows(script="trend", name="t1", timeout_s=1.0)
    block = rows(*range(30_000), following=endless)
    asked = threading.Semaphore(0)

    def answer(_request: ReadRows) -> RowsRead:
        asked.release()
        return block

    shell.answers[ReadRows] = answer
    call = series.ReadSeries(series_pb2.ReadSeriesRequest(script="trend", name="t1"))
    next(call)
    count = 1
    while asked.acquire(timeout=1.0):  # Until it waits for the reader.
        count += 1
        assert count < 50, "what nobody reads is read all the same"
    call.cancel()
    assert series.hosted.run(series.hosted.gateway._guard.drain(TIMEOUT_S / 2, 0)), "it goes on"


def test_windows_are_columns(shell: FakeShell, series: Any) -> None:
    shell.answers[AggregateRows] = lambda _: WindowsAggregated(
        starts_ns=array("q", [0, 60]).tobytes(),
        values=array("d", [1.5, 2.5]).tobytes(),
        counts=array("q", [3, 4]).tobytes(),
    )
    answer = series.AggregateSeries(
        series_pb2.AggregateSeriesRequest(script="trend", name="t1", every_s=60)
    )
    ((_, asked, _),) = shell.sent(AggregateRows)
    assert (asked.statistic, asked.every_s) == ("mean", 60.0)
    assert list(answer.start_times_ns) == [0, 60]
    assert list(answer.values) == [1.5, 2.5]
    assert list(answer.counts) == [3, 4]


def test_no_window_no_numbers(shell: FakeShell, series: Any) -> None:
    shell.answers[AggregateRows] = lambda _: WindowsAggregated(
        starts_ns=b"", values=b"", counts=b""
    )
    answer = series.AggregateSeries(series_pb2.AggregateSeriesRequest(script="a", name="b"))
    ((_, asked, _),) = shell.sent(AggregateRows)
    assert asked.every_s is None
    assert list(answer.start_times_ns) == []


def test_a_series_is_removed(shell: FakeShell, series: Any) -> None:
    shell.answers[EraseSeries] = lambda _: SeriesErased(rows=7)
    answer = series.RemoveSeries(series_pb2.RemoveSeriesRequest(script="trend", name="t1"))
    ((peer, asked, _),) = shell.sent(EraseSeries)
    assert peer == "hel"
    assert asked == EraseSeries(script="trend", name="t1", principal="local")
    assert answer.rows == 7


def test_a_missing_series_is_not_found(shell: FakeShell, series: Any) -> None:
    def missing(_request: ReadRows) -> RowsRead:
        raise IoError("there is no series 'x'", code=ErrorCode.NOT_FOUND)

    shell.answers[ReadRows] = missing
    with pytest.raises(grpc.RpcError) as raised:
        list(series.ReadSeries(series_pb2.ReadSeriesRequest(script="a", name="x")))
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.NOT_FOUND
    assert b"NOT_FOUND" in details["ErrorInfo"].value


def test_where_nothing_keeps_data_the_error_says_so(hosted: Hosted) -> None:
    with grpc.insecure_channel(hosted.address) as channel:
        stub = series_pb2_grpc.SeriesServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.ListSeries(series_pb2.ListSeriesRequest())
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert b"CHILD_DISABLED" in details["ErrorInfo"].value


def test_a_keeper_that_restarts_is_unavailable(shell: FakeShell, series: Any) -> None:
    def away(_request: ListAllSeries) -> SeriesPage:
        raise ServiceUnavailable("hel is restarting")

    shell.answers[ListAllSeries] = away
    with pytest.raises(grpc.RpcError) as raised:
        series.ListSeries(series_pb2.ListSeriesRequest())
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_who_may_see_that_there_is_a_series_may_not_read_it_yet() -> None:
    needed = {
        name: getattr(SeriesServicer, name).role for name in dir(SeriesServicer) if "S" in name
    }
    assert needed == {
        "ListSeries": ClientRole.VIEW,
        "ReadSeries": ClientRole.DATA,
        "AggregateSeries": ClientRole.DATA,
        "RemoveSeries": ClientRole.ADMIN,
    }
