"""Rows arrive each once and in order, wherever the call that brings them breaks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import grpc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loki.client import LokiClientError
from loki.client.series_rows import Progress, Row, Rows, SeriesRows
from loki.client.watch import FollowReport
from loki.v1 import series_pb2


class Broken(grpc.RpcError):
    """As a stub raises it, without details."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "away"

    def trailing_metadata(self) -> tuple[()]:
        return ()


class Call:
    """One answer; breaks after so many batches, if ever."""

    def __init__(self, batches: Sequence[Any], breaks: int | None, code: grpc.StatusCode) -> None:
        self._steps = self._play(batches, breaks, code)

    def _play(
        self, batches: Sequence[Any], breaks: int | None, code: grpc.StatusCode
    ) -> Iterator[Any]:
        yield from batches[:breaks]
        if breaks is not None:
            raise Broken(code)

    def __next__(self) -> Any:
        return next(self._steps)

    def cancel(self) -> None:
        self._steps = iter(())


class Server:
    """A series whose row number n has the value n; the n-th call breaks after `breaks[n]`."""

    def __init__(
        self,
        times_ns: list[int],
        size: int,
        breaks: list[int],
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
    ) -> None:
        self.times_ns, self._size, self._breaks, self._code = times_ns, size, breaks, code
        self.asked: list[series_pb2.ReadSeriesRequest] = []

    def ask(self, request: series_pb2.ReadSeriesRequest) -> Call:
        breaks = self._breaks[len(self.asked)] if len(self.asked) < len(self._breaks) else None
        self.asked.append(request)
        start_ns = request.start_time.ToNanoseconds() if request.HasField("start_time") else -1
        found = [(t, n) for n, t in enumerate(self.times_ns) if t >= start_ns]
        if request.limit:
            found = found[-request.limit :] if request.newest else found[: request.limit]
        parts = [found[n : n + self._size] for n in range(0, len(found), self._size)]
        batches = [
            series_pb2.ReadSeriesResponse(
                times_ns=[t for t, _ in part],
                values=[float(n) for _, n in part],
                qualities=bytes(n % 251 for _, n in part),
            )
            for part in parts
        ]
        return Call(batches, breaks, self._code)


class Told(FollowReport):
    def __init__(self) -> None:
        self.told: list[str] = []

    def lost(self, error: LokiClientError) -> None:
        self.told.append(error.message)

    def back(self) -> None:
        self.told.append("back")


def rows_of(
    server: Server, report: FollowReport | None = None, patience_s: float = 60, **query: Any
) -> SeriesRows:
    request = series_pb2.ReadSeriesRequest(script="s", name="t", **query)
    return SeriesRows(server.ask, request, patience_s, report or FollowReport())


@pytest.fixture(autouse=True, scope="module")
def at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("loki.client.series_rows.RECONNECT_S", 0.0)
        yield


@example(times_ns=[0, 0, 0], size=1, breaks=[1], limit=2, newest=True)
@given(
    times_ns=st.lists(st.integers(0, 5), min_size=1, max_size=20).map(sorted),
    size=st.integers(1, 6),
    breaks=st.lists(st.integers(1, 3), max_size=6),
    limit=st.integers(0, 25),
    newest=st.booleans(),
)
def test_each_row_comes_once_wherever_calls_break(
    times_ns: list[int], size: int, breaks: list[int], limit: int, newest: bool
) -> None:
    newest = newest and limit > 0
    whole = Server(times_ns, 100, [])
    expected = [row for batch in rows_of(whole, limit=limit, newest=newest) for row in batch]
    server = Server(times_ns, size, breaks)
    found: list[Row] = []
    try:
        for batch in rows_of(server, limit=limit, newest=newest):
            found += batch
    except LokiClientError:  # The newest ones may begin in the middle of those of one time.
        assert newest
        assert len({row.time for row in found}) == 1
        expected = expected[: len(found)]
    assert found == expected
    assert all(one.value < other.value for one, other in pairwise(found))


def test_it_is_told_once_that_they_are_away_and_back() -> None:
    report = Told()
    server = Server([1, 2, 3], 1, [1, 0, 0])
    assert len(list(rows_of(server, report))) == 3
    assert report.told == ["away", "back"]
    assert len(server.asked) == 4
    assert [r.start_time.ToNanoseconds() for r in server.asked] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("server", "patience_s"),
    [
        (Server([1, 2], 1, [0]), 60),  # Nothing ever came from there.
        (Server([1, 2], 1, [1]), -1),
        (Server([1, 2], 1, [1], grpc.StatusCode.DATA_LOSS), 60),
        (Server([1, 2], 1, [1, 9], grpc.StatusCode.CANCELLED), 60),
    ],
)
def test_what_trying_again_does_not_mend_is_raised(server: Server, patience_s: float) -> None:
    report = Told()
    with pytest.raises(LokiClientError, match="away"):
        list(rows_of(server, report, patience_s))
    assert report.told == []
    assert len(server.asked) == 1


def test_rows_that_were_forgotten_meanwhile_leave_the_others() -> None:
    server = Server([1, 1, 2, 3], 2, [1])
    found = rows_of(server)
    assert next(found).values == [0.0, 1.0]
    server.times_ns[:2] = [0, 0]  # Whatever had that time is gone.
    assert [value for batch in found for value in batch.values] == [2.0, 3.0]


def test_who_cancels_gets_no_more() -> None:
    server = Server([1, 2, 3], 1, [1])
    with rows_of(server) as found:
        next(found)
        found.cancel()
        assert list(found) == []
    assert len(server.asked) == 1


def test_an_empty_batch_changes_no_progress() -> None:
    progress = Progress(3, 7, 2, 6)
    assert progress.behind(Rows((), (), b"")) == progress
    assert progress.behind(Rows([7], [0.0], b"\0")) == Progress(4, 7, 3, 6)
    assert progress.behind(Rows([7, 8], [0.0, 1.0], b"\0\0")) == Progress(5, 8, 1, 6)
