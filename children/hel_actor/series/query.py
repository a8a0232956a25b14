"""What is asked of time series, answered block by block over files and journal.

Each answer is a generator: it pauses after every block, so that several queries take turns in one
thread, and one that nobody waits for any more is simply not continued.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from hel_actor.series import series, window
from hel_actor.series.reading import Reading, Snapshot
from hel_actor.series.series import Chunk, Span
from hel_actor.series.store import SeriesStore
from hel_actor.turns import Steps
from loki.errors import ResourceLimitExceeded

if TYPE_CHECKING:  # Both bring numpy, which only the thread itself may import.
    from hel_actor.series.aggregation import Result
    from hel_actor.series.column import Columns, Ranks

T = TypeVar("T")
MAX_SKIPPED = 1_000_000
"""Rows of one time that may be left out: they are read again for each block of such rows."""

TIMES = 262_144
"""Of rows in their order, which are in memory at once; to sort them takes some 20 ms."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to go on: at this time, behind so many rows of just this time."""

    time_ns: int
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Rows in the order of time, and where to go on; None where there are no more."""

    rows: "Columns"
    following: Cursor | None


class Queries:
    """Only the series' thread may continue what it gives."""

    def __init__(self, store: SeriesStore) -> None:
        self._store = store

    def read(self, namespace: str, name: str, reading: Reading, *arrays: str) -> "Steps[Columns]":
        """Rows sorted by time; those of one time in the order in which they were appended.

        Without `limit` the answer may have one row more than `series.MAX_ROWS`, which tells that
        there are too many. Raises: IoError, also NOT_FOUND; ServiceUnavailable after a stop.
        """
        limit = series.MAX_ROWS + 1 if reading.limit is None else reading.limit
        reading = Reading(reading.within, limit, reading.newest)
        snapshot = self._store.find(namespace, name, reading)
        from hel_actor.series.selection import Selection

        selection = Selection(limit, newest=reading.newest)
        for part in self._store.parts(snapshot, *arrays):
            selection.add(part.ranks, part.rows)
            yield
        selection.add(_ranks(snapshot), snapshot.waiting)
        return selection.rows()

    def block(
        self, namespace: str, name: str, cursor: Cursor, end_ns: int, rows: int
    ) -> "Steps[Block]":
        """The next `rows` rows from a cursor on and before `end_ns`.

        Raises: as `read`; ResourceLimitExceeded for too many rows of one time.
        """
        if cursor.skip > MAX_SKIPPED:
            raise ResourceLimitExceeded(
                f"'{name}' has more than {MAX_SKIPPED} rows of one time, "
                f"{series.seconds(cursor.time_ns):.6f}; read before and after it"
            )
        wanted = cursor.skip + rows
        reading = Reading(Span(cursor.time_ns, max(cursor.time_ns, end_ns)), wanted)
        found = yield from self.read(namespace, name, reading)
        following = None if len(found) < wanted else _behind(found)
        return Block(found.only(slice(cursor.skip, None)), following)

    def newest(self, namespace: str, name: str, within: Span, rows: int) -> "Steps[Cursor]":
        """Where the last `rows` rows of a span begin. Raises: as `read`."""
        last = yield from self.read(namespace, name, Reading(within, rows, newest=True), "time")
        if not len(last):
            return Cursor(within.end_ns)
        first_ns = int(last.times[0])
        at_once = Span(first_ns, first_ns + 1)
        there = yield from self.read(namespace, name, Reading(at_once, MAX_SKIPPED + rows), "time")
        return Cursor(first_ns, len(there) - int((last.times == first_ns).sum()))

    def missing(self, namespace: str, name: str, within: Span, interval_s: float) -> "Steps[int]":
        """Rows that a regular series lacks between those it has in a span; see `gap.Gaps`.

        Raises: as `read`.
        """
        from hel_actor.series.gap import Gaps

        gaps, count = Gaps(interval_s), TIMES
        while count == TIMES:
            rows = yield from self.read(namespace, name, Reading(within, TIMES), "time")
            gaps.add(rows.times)
            count = len(rows)
            if count:  # More rows of the last time make no gap.
                within = replace(within, start_ns=int(rows.times[-1]) + 1)
            yield
        return gaps.missing

    def aggregate(
        self, namespace: str, name: str, within: Span, statistic: str, every_ns: int | None
    ) -> "Steps[list[Result]]":
        """Of the windows that `window.windows` says.

        Raises: IoError, also NOT_FOUND; InvalidArgument; ResourceLimitExceeded; see `read`.
        """
        snapshot = self._store.find(namespace, name, Reading(within))
        oldest = [chunk.oldest_ns for chunk in snapshot.chunks]
        newest = [chunk.newest_ns for chunk in snapshot.chunks]
        times = snapshot.waiting.times
        if not oldest and not len(times):
            return []
        oldest_ns = max(within.start_ns, min(oldest + times[:1].tolist()))
        newest_ns = min(within.end_ns - 1, max(newest + times[-1:].tolist()))
        from hel_actor.series.aggregation import Aggregation

        aggregation = Aggregation(window.windows(within, every_ns, oldest_ns, newest_ns), statistic)
        if aggregation.in_any_order:
            snapshot = replace(snapshot, chunks=_by_time(snapshot.chunks))
            aggregation.add(snapshot.waiting)
        for part in self._store.parts(snapshot, "time", "value"):
            aggregation.add(part.rows)
            aggregation.close(part.left_ns)
            yield
        if not aggregation.in_any_order:
            aggregation.add(snapshot.waiting)
        return aggregation.result()


def _by_time(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    return tuple(sorted(chunks, key=lambda chunk: chunk.oldest_ns))


def _ranks(snapshot: Snapshot) -> "Ranks":
    """Rows that wait were appended after all rows in files that have the same time."""
    import numpy as np

    first = snapshot.series.chunks * snapshot.series.chunk_rows
    return np.arange(first, first + len(snapshot.waiting))


def _behind(rows: "Columns") -> Cursor:
    """Behind the last of these rows, which begin with the first one of its time."""
    last_ns = int(rows.times[-1])
    return Cursor(last_ns, int((rows.times == last_ns).sum()))
