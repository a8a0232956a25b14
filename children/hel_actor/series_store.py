"""Time series in their own thread: files are written and read here, and large queries computed.

The database has its own thread, and only that one writes to it. This one reads through a
connection of its own, so that nothing here keeps a small write waiting, and lets the other one
commit.
"""

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hel_actor import journal, series
from hel_actor.series import Chunk, Retention, Span
from hel_actor.storage import Disk, Storage
from loki.child import Clock
from loki.errors import ErrorCode, IoError, LokiError, ServiceUnavailable

if TYPE_CHECKING:  # Both bring numpy and zarr, which only the thread itself may import.
    from collections.abc import Iterator, Sequence

    from hel_actor.aggregation import Result
    from hel_actor.archive import Archive, Place
    from hel_actor.column import Columns

T = TypeVar("T")

EVERYTHING = Span(series.MIN_NS, series.MAX_NS)


class Submit(Protocol):
    """How the database's thread is asked."""

    def __call__(self, perform: Callable[[sqlite3.Connection], T], /) -> "Future[T]": ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A series at one moment: its files' chunks, and the rows that wait, of the asked span."""

    series: journal.Series
    chunks: tuple[Chunk, ...]
    waiting: "list[tuple[int, int, float, int]]"


@dataclass(frozen=True, slots=True)
class Reading:
    """Which rows are wanted: all of a span, or its first or last `limit`."""

    within: Span
    limit: int | None = None
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What a series has: rows, their first and last time, bytes of files, attributes as JSON."""

    rows: int
    oldest_ns: int | None
    newest_ns: int | None
    size_bytes: int
    attributes: str


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long rows wait to be sorted, and how much is kept."""

    window_ns: int
    retention: Retention


class SeriesStore:
    """Only one thread may call it, but for `stop`."""

    def __init__(
        self,
        database: Path,
        submit: Submit,
        folder: Path,
        keeping: Keeping,
        clock: Clock,
        log: logging.Logger,
        storage: Storage | None = None,
    ) -> None:
        self._database = database
        self._submit = submit
        self._folder = folder
        self._keeping = keeping
        self._clock = clock
        self._log = log
        self._storage = storage or Disk()
        self._reader: sqlite3.Connection | None = None
        self._opened: Archive | None = None
        self._recovered: set[int] = set()
        self._stopping = False

    def stop(self) -> None:
        """Let a long query give up. Any thread may call it."""
        self._stopping = True

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def checkpoint(self, series_id: int) -> int:
        """Put the rows that are settled into files, and say how many; then forget old ones.

        Raises: IoError. No row is lost then, and the next call begins anew.
        """
        total = 0
        while count := self._checkpoint(series_id):
            total += count
        return total

    def _checkpoint(self, series_id: int) -> int:
        if self._stopping:
            return 0
        snapshot = self._snapshot(lambda reader: journal.by_id(reader, series_id), EVERYTHING)
        times = [row[1] for row in snapshot.waiting]
        count = series.ready(times, snapshot.series.chunk_rows, self._keeping.window_ns)
        if count:
            with self._named(f"the rows of '{snapshot.series.name}' stay in the journal"):
                self._write(snapshot, count)
            self._retain(series_id)
        return count

    def _retain(self, series_id: int) -> None:
        """The database forgets first. Should the files not follow, `recover` sees to it."""
        snapshot = self._snapshot(lambda reader: journal.by_id(reader, series_id), EVERYTHING)
        known = snapshot.series
        count = series.superfluous(
            snapshot.chunks,
            known.chunk_rows,
            known.waiting,
            self._clock.now_ns(),
            self._keeping.retention,
        )
        if count:
            self._recovered.discard(series_id)
            first = known.dropped + count
            self._submit(lambda database: journal.drop(database, known, first)).result()
            self._place(replace(known, dropped=first))

    def _write(self, snapshot: Snapshot, count: int) -> None:
        from hel_actor.column import columns

        known, rows = snapshot.series, snapshot.waiting[:count]
        place = self._place(known)
        self._recovered.discard(known.id)  # Until all is done, files are beyond what is known.
        archive = self._archive()
        sizes = archive.write(place, columns([row[1:] for row in rows]))
        chunks = series.cut([row[1] for row in rows], known.chunks, known.chunk_rows, sizes)
        archive.publish(_place(known, known.chunks + len(chunks)))
        last = rows[-1][1], rows[-1][0]
        newest_row = max(row[0] for row in snapshot.waiting)
        self._submit(
            lambda database: journal.commit(database, known, chunks, last, newest_row)
        ).result()
        self._recovered.add(known.id)

    def read(self, namespace: str, name: str, reading: Reading) -> "Columns":
        """Rows sorted by time; those of one time in the order in which they were appended.

        Without `limit` the answer may have one row more than `series.MAX_ROWS`, which tells that
        there are too many. Raises: IoError, also NOT_FOUND; ServiceUnavailable after `stop`.
        """
        import numpy as np

        from hel_actor.column import joined

        snapshot = self._find(namespace, name, reading.within)
        limit = series.MAX_ROWS + 1 if reading.limit is None else reading.limit
        chunks = _in_reading_order(snapshot.chunks, reading.newest)
        parts = {-1: self._waiting(snapshot)}
        for index, chunk in enumerate(chunks):
            times = np.concatenate([part.times for part in parts.values()])
            if _surely_before(times, chunks[index:], reading.newest) >= limit:
                break
            for rows in self._blocks(snapshot, (chunk,), reading.within):
                parts[chunk.number] = rows
        last = parts.pop(-1)
        rows = joined([*(parts[number] for number in sorted(parts)), last])
        rows = rows.only(np.argsort(rows.times, kind="stable"))
        return rows.only(slice(-limit, None) if reading.newest else slice(limit))

    def aggregate(
        self, namespace: str, name: str, within: Span, statistic: str, every_s: float | None
    ) -> "list[Result]":
        """Raises: IoError, also NOT_FOUND; InvalidArgument; ResourceLimitExceeded; see `read`."""
        snapshot = self._find(namespace, name, within)
        oldest = [chunk.oldest_ns for chunk in snapshot.chunks]
        newest = [chunk.newest_ns for chunk in snapshot.chunks]
        times = [row[1] for row in snapshot.waiting]
        if not oldest and not times:
            return []
        oldest_ns = max(within.start_ns, min(oldest + times[:1]))
        newest_ns = min(within.end_ns - 1, max(newest + times[-1:]))
        from hel_actor.aggregation import Aggregation

        aggregation = Aggregation(series.windows(within, every_s, oldest_ns, newest_ns), statistic)
        for rows in self._blocks(snapshot, snapshot.chunks, within, "time", "value"):
            aggregation.add(rows)
        aggregation.add(self._waiting(snapshot))
        return aggregation.result()

    def describe(self, series_id: int) -> None:
        """Let the files have the attributes that the database has. Raises: IoError."""
        self._recovered.discard(series_id)
        snapshot = self._snapshot(lambda reader: journal.by_id(reader, series_id), EVERYTHING)
        if snapshot.chunks and not self._stopping:  # Else they get them with their first chunk.
            self._place(snapshot.series)

    def summary(self, namespace: str, name: str) -> Summary:
        """Raises: IoError, also NOT_FOUND."""
        snapshot = self._find(namespace, name, EVERYTHING)
        times = [row[1] for row in snapshot.waiting]
        oldest = [chunk.oldest_ns for chunk in snapshot.chunks] + times[:1]
        newest = [chunk.newest_ns for chunk in snapshot.chunks] + times[-1:]
        return Summary(
            rows=len(snapshot.chunks) * snapshot.series.chunk_rows + len(times),
            oldest_ns=min(oldest, default=None),
            newest_ns=max(newest, default=None),
            size_bytes=sum(chunk.size_bytes for chunk in snapshot.chunks),
            attributes=snapshot.series.attributes or "{}",
        )

    def _waiting(self, snapshot: Snapshot) -> "Columns":
        from hel_actor.column import columns

        return columns([row[1:] for row in snapshot.waiting])

    def _blocks(
        self, snapshot: Snapshot, chunks: "Sequence[Chunk]", within: Span, *arrays: str
    ) -> "Iterator[Columns]":
        """The rows of these chunks that are in the span; without `arrays`, whole."""
        if not chunks:
            return
        from hel_actor.archive import ARRAYS

        place = self._place(snapshot.series)
        numbers = [chunk.number for chunk in chunks]
        for rows in self._archive().read(place, numbers, arrays or ARRAYS):
            if self._stopping:
                raise ServiceUnavailable("Hel is stopping", code=ErrorCode.DRAINING)
            yield rows.only((rows.times >= within.start_ns) & (rows.times < within.end_ns))

    def _find(self, namespace: str, name: str, within: Span) -> Snapshot:
        def find(reader: sqlite3.Connection) -> journal.Series:
            found = journal.find(reader, namespace, name)
            if found is None:
                there = ", ".join(journal.names(reader, namespace)[:10])
                raise IoError(
                    f"there is no series '{name}'; "
                    + (f"this script has {there}" if there else "this script has none"),
                    code=ErrorCode.NOT_FOUND,
                )
            return found

        return self._snapshot(find, within)

    def _snapshot(
        self, find: Callable[[sqlite3.Connection], journal.Series], within: Span
    ) -> Snapshot:
        with self._named("the series cannot be read"):
            reader = self._connection()
            reader.execute("BEGIN")
            try:
                found = find(reader)
                chunks = series.needed(journal.chunks(reader, found), within)
                return Snapshot(found, chunks, journal.waiting(reader, found, within))
            finally:
                reader.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        if self._reader is None:
            self._submit(lambda _: None).result()  # The other thread makes and checks the file.
            self._reader = sqlite3.connect(
                f"{self._database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
            )
        return self._reader

    def _place(self, known: journal.Series) -> "Place":
        """Where its files are, which are in order after this."""
        place = _place(known, known.chunks)
        if known.id not in self._recovered:
            with self._named(f"the files of '{known.name}' cannot be put in order"):
                for report in self._archive().recover(place):
                    self._log.error("%s", report)
            self._recovered.add(known.id)
        return place

    def _archive(self) -> "Archive":
        if self._opened is None:
            from hel_actor.archive import Archive

            self._opened = Archive(self._folder, self._storage)
        return self._opened

    @contextmanager
    def _named(self, what: str) -> "Iterator[None]":
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._log.error("%s: %s", what, error)
            raise IoError(f"{what}: {reason}") from error
        except LokiError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                self._log.error("%s: %s", what, error)
            raise


def _place(known: journal.Series, chunks: int) -> "Place":
    from hel_actor.archive import Place

    return Place(
        known.namespace,
        known.name,
        known.mark,
        known.chunk_rows,
        known.dropped,
        chunks,
        known.attributes or "{}",
    )


def _in_reading_order(chunks: "Sequence[Chunk]", newest: bool) -> list[Chunk]:
    if newest:
        return sorted(chunks, key=lambda chunk: chunk.newest_ns, reverse=True)
    return sorted(chunks, key=lambda chunk: chunk.oldest_ns)


def _surely_before(times: Any, rest: "Sequence[Chunk]", newest: bool) -> int:
    """How many of these times no row of the remaining chunks can come before."""
    if newest:
        return int((times > rest[0].newest_ns).sum())
    return int((times < rest[0].oldest_ns).sum())
