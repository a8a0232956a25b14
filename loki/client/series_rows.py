"""The rows of a time series as they arrive, also over restarts of what keeps them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from loki.client.error import LokiClientError
from loki.client.retry import Retries
from loki.client.server_stream import ServerStream
from loki.client.watch import FollowReport
from loki.v1 import series_pb2

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECONNECT_S = 0.5

Ask = Callable[[series_pb2.ReadSeriesRequest], Any]
"""Begins a call."""


class Row(NamedTuple):
    """One row."""

    time: datetime  # UTC.
    value: float
    quality: int  # 0 is good.


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows as columns of one length, in the order of time."""

    times_ns: Sequence[int]  # Since 1970.
    values: Sequence[float]
    qualities: bytes

    def __len__(self) -> int:
        return len(self.times_ns)

    def __iter__(self) -> Iterator[Row]:
        columns = zip(self.times_ns, self.values, self.qualities, strict=True)
        return (Row(time_of(time_ns), value, quality) for time_ns, value, quality in columns)

    def without(self, first: int) -> "Rows":
        """All but so many of the first ones."""
        if not first:
            return self
        return Rows(self.times_ns[first:], self.values[first:], self.qualities[first:])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a query has come: `rows` of it are there, the last `same` of time `last_ns`.

    Rows of one time always come in the order in which they were appended.
    """

    rows: int = 0
    last_ns: int = 0
    same: int = 0
    first_ns: int = 0

    def behind(self, batch: Rows) -> "Progress":
        """After this batch."""
        if not len(batch):
            return self
        last_ns, length = batch.times_ns[-1], len(batch)
        same = next((n for n in range(length) if batch.times_ns[-1 - n] != last_ns), length)
        if same == length and self.rows and last_ns == self.last_ns:
            same += self.same
        first_ns = self.first_ns if self.rows else batch.times_ns[0]
        return Progress(self.rows + length, last_ns, same, first_ns)

    def has_rest(self, request: series_pb2.ReadSeriesRequest) -> bool:
        """Whether it can be told what is missing.

        The newest rows may begin behind others of the same time, and nobody knows how many.
        """
        return not (request.newest and self.rows and self.first_ns == self.last_ns)

    def rest(self, request: series_pb2.ReadSeriesRequest) -> series_pb2.ReadSeriesRequest:
        """What asks for all from the last time on; `seen` tells which of these are there."""
        if not self.rows:
            return request
        following = series_pb2.ReadSeriesRequest()
        following.CopyFrom(request)
        following.start_time.CopyFrom(Timestamp())
        following.start_time.FromNanoseconds(self.last_ns)
        following.newest = False  # They began where the first one of them was.
        if request.limit:
            following.limit = request.limit - self.rows + self.same
        return following

    def seen(self, batch: Rows, skipped: int) -> int:
        """How many of the first rows are there already, when so many were left out before."""
        most = min(self.same - skipped, len(batch))
        return next((n for n in range(most) if batch.times_ns[n] != self.last_ns), max(0, most))


class SeriesRows(ServerStream, Iterator[Rows]):
    """Iterate for the rows, batch by batch; leaving the `with` block, or `cancel`, ends it."""

    def __init__(
        self,
        ask: Ask,
        request: series_pb2.ReadSeriesRequest,
        patience_s: float,
        report: FollowReport,
    ) -> None:
        super().__init__(ask(request))
        self._ask = ask
        self._request = request
        self._patience_s = patience_s
        self._report = report
        self._progress = self._from = Progress()  # What is there, and was when the call began.
        self._skipped = 0
        self._away = self._cancelled = False

    def __next__(self) -> Rows:
        """Raises: LokiClientError."""
        retries: Retries | None = None
        while True:
            try:
                batch = self._unseen(self.read())
            except LokiClientError as error:
                retries = retries or Retries(self._patience_s, None)
                self._resume(retries, error)
                continue
            retries = None
            if self._away:
                self._away = False
                self._report.back()
            if len(batch) or not self._skipped:
                self._progress = self._progress.behind(batch)
                return batch

    def cancel(self) -> None:
        """End the call, if it still runs."""
        self._cancelled = True
        super().cancel()

    def _unseen(self, response: series_pb2.ReadSeriesResponse) -> Rows:
        batch = Rows(response.times_ns, response.values, response.qualities)
        seen = self._from.seen(batch, self._skipped)
        self._skipped += seen
        return batch.without(seen)

    def _resume(self, retries: Retries, error: LokiClientError) -> None:
        """Ask for what is missing. Raises: `error`, where trying again does not help."""
        if self._progress.rows and self._progress.rows == self._request.limit:
            raise StopIteration
        away = error.code is grpc.StatusCode.UNAVAILABLE and not self._cancelled
        if not (away and self._progress.has_rest(self._request)):
            raise error from None
        # Where there was a server it may come back; where none ever answered, waiting is no use.
        pause_s = retries.pause_s(error, RECONNECT_S if self._progress.rows else None)
        if not self._away:
            self._away = True
            self._report.lost(error)
        time.sleep(pause_s)
        self._from, self._skipped = self._progress, 0
        self._call = self._ask(self._progress.rest(self._request))


def time_of(time_ns: int) -> datetime:
    """UTC, to the microsecond, which no row's time is finer than."""
    return EPOCH + timedelta(microseconds=time_ns // 1000)
