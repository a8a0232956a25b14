"""Time series of a device, as plain Python: which there are, their rows, and numbers of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from loki.client.series_rows import SeriesRows, time_of
from loki.client.watch import FollowReport
from loki.v1 import series_pb2, series_pb2_grpc
from loki.v1_value import Plain, from_proto


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series; `unit` is "" if none was noted."""

    script: str
    name: str
    rows: int
    first: datetime | None  # UTC; None without rows.
    last: datetime | None
    size_bytes: int  # Of its files.
    unit: str
    attributes: dict[str, Plain]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The number of one window, and of how many rows it was made."""

    start: datetime  # UTC.
    value: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesQuery:
    """Which rows somebody wants: from `start` on and before `end`; None is no bound.

    Times without a zone are of this computer's.
    """

    start: datetime | None = None
    end: datetime | None = None
    limit: int = 0  # Rows at most; 0 is no limit.
    newest: bool = False  # Whether the limit leaves the last ones: a million at most.


EVERYTHING = SeriesQuery()


class SeriesClient:
    """The calls of `loki.v1.SeriesService`; a `LokiClient` has one."""

    def __init__(
        self, channel: grpc.Channel, call: Callable[[Any, Any], Any], patience_s: float
    ) -> None:
        """`call` makes a call with a request, and raises LokiClientError."""
        stub = series_pb2_grpc.SeriesServiceStub
        self._stub: Any = stub(channel)  # type: ignore[no-untyped-call]  # Generated so.
        self._call = call
        self._patience_s = patience_s

    def find(self, script: str = "*", name: str = "*") -> Iterator[Series]:
        """Those whose scripts and names match these globs, by both; asks page by page.

        Raises: LokiClientError, as all methods here.
        """
        request = series_pb2.ListSeriesRequest(script=script, name=name)
        while True:
            page = self._call(self._stub.ListSeries, request)
            yield from map(series_of, page.series)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def read(
        self,
        script: str,
        name: str,
        query: SeriesQuery = EVERYTHING,
        *,
        patience_s: float | None = None,
        report: FollowReport | None = None,
    ) -> SeriesRows:
        """The rows of a series, batch by batch: however many, they need little memory.

        Where the server, or the child that keeps the rows, goes away meanwhile, this goes on behind
        the last row, each row once, when that is back within `patience_s` seconds; None is the
        client's own. `report` is told of it.
        """
        request = read_request(script, name, query)
        patient_s = self._patience_s if patience_s is None else patience_s
        return SeriesRows(self._stub.ReadSeries, request, patient_s, report or FollowReport())

    def aggregate(
        self,
        script: str,
        name: str,
        statistic: str = "mean",
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        every_s: float = 0,
    ) -> list[Window]:
        """One number for each window of `every_s` seconds that has rows; 0 is one of them all.

        `statistic` is "mean", "min", "max", "sum", "count", "first", "last", or such as "p95".
        """
        query = SeriesQuery(start=start, end=end)
        request = aggregate_request(script, name, statistic, query, every_s)
        return windows_of(self._call(self._stub.AggregateSeries, request))

    def remove(self, script: str, name: str) -> int:
        """Remove a series for ever, and say how many rows it had; needs the role "admin"."""
        request = series_pb2.RemoveSeriesRequest(script=script, name=name)
        rows: int = self._call(self._stub.RemoveSeries, request).rows
        return rows


def read_request(script: str, name: str, query: SeriesQuery) -> series_pb2.ReadSeriesRequest:
    return series_pb2.ReadSeriesRequest(
        script=script,
        name=name,
        start_time=_stamp(query.start),
        end_time=_stamp(query.end),
        limit=query.limit,
        newest=query.newest,
    )


def aggregate_request(
    script: str, name: str, statistic: str, query: SeriesQuery, every_s: float
) -> series_pb2.AggregateSeriesRequest:
    """Of all rows between the bounds of the query."""
    return series_pb2.AggregateSeriesRequest(
        script=script,
        name=name,
        start_time=_stamp(query.start),
        end_time=_stamp(query.end),
        statistic=statistic,
        every_s=every_s,
    )


def series_of(found: series_pb2.Series) -> Series:
    return Series(
        script=found.script,
        name=found.name,
        rows=found.rows,
        first=_time(found, "first_time"),
        last=_time(found, "last_time"),
        size_bytes=found.size_bytes,
        unit=found.unit,
        attributes={name: from_proto(value) for name, value in found.attributes.items()},
    )


def windows_of(response: series_pb2.AggregateSeriesResponse) -> list[Window]:
    columns = zip(response.start_times_ns, response.values, response.counts, strict=True)
    return [
        Window(start=time_of(start_ns), value=value, count=count)
        for start_ns, value, count in columns
    ]


def _stamp(time: datetime | None) -> Timestamp | None:
    """None is unset."""
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time.astimezone(UTC))
    return made


def _time(found: Any, field: str) -> datetime | None:
    return time_of(getattr(found, field).ToNanoseconds()) if found.HasField(field) else None
