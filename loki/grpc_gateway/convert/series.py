"""Between the messages of `loki.v1` about time series and those of the actors; no decisions."""

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from loki.grpc_gateway.convert.field import page_size, time_ns
from loki.messages.series import (
    MAX_NS,
    MIN_NS,
    AggregateRows,
    ListAllSeries,
    ReadRows,
    RowsRead,
    SeriesEntry,
    WindowsAggregated,
)
from loki.v1 import series_pb2
from loki.v1_value import to_proto

UNIT = "unit"


def list_request(request: series_pb2.ListSeriesRequest) -> ListAllSeries:
    """Raises: InvalidArgument for a negative page size."""
    return ListAllSeries(
        script=request.script or "*",
        name=request.name or "*",
        page_size=page_size(request),
        page=request.page_token,
    )


def read_request(request: series_pb2.ReadSeriesRequest, timeout_s: float) -> ReadRows:
    start_ns, end_ns = span_of(request)
    return ReadRows(
        script=request.script,
        name=request.name,
        timeout_s=timeout_s,
        start_ns=start_ns,
        end_ns=end_ns,
        limit=request.limit or None,
        newest=request.newest,
    )


def aggregate_request(
    request: series_pb2.AggregateSeriesRequest, timeout_s: float
) -> AggregateRows:
    start_ns, end_ns = span_of(request)
    return AggregateRows(
        script=request.script,
        name=request.name,
        timeout_s=timeout_s,
        start_ns=start_ns,
        end_ns=end_ns,
        statistic=request.statistic or "mean",
        every_s=request.every_s or None,
    )


def span_of(
    request: series_pb2.ReadSeriesRequest | series_pb2.AggregateSeriesRequest,
) -> tuple[int, int]:
    """Nanoseconds since 1970, from 1678 to 2262: what is beyond is no bound.

    Raises: InvalidArgument for what is no time.
    """
    start_ns, end_ns = time_ns(request, "start_time"), time_ns(request, "end_time")
    return _nearest(start_ns, MIN_NS), _nearest(end_ns, MAX_NS)


def _nearest(time_ns: int | None, unset_ns: int) -> int:
    """The nearest time that a series can hold."""
    return unset_ns if time_ns is None else max(MIN_NS, min(MAX_NS, time_ns))


def series_to_proto(entry: SeriesEntry) -> series_pb2.Series:
    return series_pb2.Series(
        script=entry.script,
        name=entry.name,
        rows=entry.rows,
        first_time=time_to_proto(entry.oldest_ns),
        last_time=time_to_proto(entry.newest_ns),
        size_bytes=entry.size_bytes,
        unit=str(entry.attributes.get(UNIT, "")),
        attributes={name: to_proto(value) for name, value in entry.attributes.items()},
    )


def time_to_proto(time_ns: int | None) -> Timestamp | None:
    """None is unset."""
    if time_ns is None:
        return None
    time = Timestamp()
    time.FromNanoseconds(time_ns)
    return time


def rows_to_proto(rows: RowsRead) -> series_pb2.ReadSeriesResponse:
    return series_pb2.ReadSeriesResponse(
        times_ns=integers(rows.times_ns),
        values=doubles(rows.values),
        qualities=rows.qualities,
    )


def windows_to_proto(windows: WindowsAggregated) -> series_pb2.AggregateSeriesResponse:
    return series_pb2.AggregateSeriesResponse(
        start_times_ns=integers(windows.starts_ns),
        values=doubles(windows.values),
        counts=integers(windows.counts),
    )


def integers(column: bytes) -> Iterable[int]:
    """A packed column's numbers; the machines that run Loki have the same order of bytes."""
    return memoryview(column).cast("q")


def doubles(column: bytes) -> Iterable[float]:
    """A packed column's numbers."""
    return memoryview(column).cast("d")
