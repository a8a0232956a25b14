"""Time series in their own thread: files are written, kept in order and read here.

The database has its own thread, and only that one writes to it. This one reads through a
connection of its own, so that nothing here keeps a small write waiting, and lets the other one
commit.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from hel_actor.series import aging, downsampling, journal, remains, removal, series
from hel_actor.series.damage import DamagedChunk, Reports
from hel_actor.series.description import ARRAYS
from hel_actor.series.place import place_of
from hel_actor.series.reading import EVERYTHING, Part, Reading, Snapshot
from hel_actor.series.row import Unsound, unsound
from hel_actor.series.series import Chunk, Retention
from hel_actor.steadiness import Steadiness
from hel_actor.storage import Disk, Storage
from loki.child import Clock
from loki.errors import ErrorCode, IoError, ServiceUnavailable

if TYPE_CHECKING:  # It brings numpy and zarr, which only the thread itself may import.
    from hel_actor.series.archive import Archive, Place

T = TypeVar("T")

SHED = 5000
"""Rows that wait and go for their age in one transaction, which all others wait for."""


class Submit(Protocol):
    """How the database's thread is asked."""

    def __call__(self, perform: Callable[[sqlite3.Connection], T], /) -> "Future[T]": ...


ReadingJournal: TypeAlias = "Callable[[], AbstractContextManager[sqlite3.Connection]]"
"""How to read the database without it: see `Database.reading`."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The rows of a series that become files now, (row, time in ns, value, quality), and none of
    those that are damaged."""

    series: journal.Series
    rows: list[tuple[int, int, float, int]]
    unsound: Unsound


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long rows wait to be sorted, and how much is kept."""

    window_ns: int
    retention: Retention


class SeriesStore:
    """Only one thread may call it, but for `stop`."""

    def __init__(
        self,
        reading: ReadingJournal,
        submit: Submit,
        folder: Path,
        keeping: Keeping,
        clock: Clock,
        log: logging.Logger,
        storage: Storage | None = None,
    ) -> None:
        self._reading = reading
        self._submit = submit
        self._folder = folder
        self._keeping = keeping
        self._steadiness = Steadiness(clock)
        self._log = log
        self._storage = storage or Disk()
        self._opened: Archive | None = None
        self._recovered: dict[int, str] = {}  # By mark: a database that begins anew counts anew.
        self._reports = Reports(log)
        self._behind: set[int] = set()  # Series whose files have chunks yet that went.
        self._stopping = False
        self._held = False

    def hold(self, held: bool) -> None:
        """While it is held, chunks that are too old stay; later checkpoints forget them."""
        self._held = held

    def stop(self) -> None:
        """Let a long query give up. Any thread may call it."""
        self._stopping = True

    def require_free(self) -> None:
        """Raises: ServiceUnavailable while it is held."""
        if self._held:
            raise ServiceUnavailable("a backup is being made of all series; try again later")

    def forget(self, series_id: int) -> None:
        """A series was removed."""
        self._recovered.pop(series_id, None)
        self._behind.discard(series_id)

    def checkpoint(self, series_id: int, catch_up: Callable[[], None] = lambda: None) -> int:
        """Put rows that are settled into files, and say how many; then forget old ones.

        To be called until there are none: each call takes a while only, so that others wait for
        some chunks at most. `catch_up` is called before rows are forgotten that coarser series do
        not have: when many came at once, it was not their turn yet.

        Raises: IoError. No row is lost then, and the next call begins anew. DATA_LOSS where all
        is done, but for rows that are damaged.
        """
        if self._stopping:
            return 0
        settled = self.look(lambda reader: self._settled(reader, series_id))
        if settled.rows:
            with self._named(f"the rows of '{settled.series.name}' stay in the journal"):
                self._write(settled)
        if settled.rows or series_id in self._behind:
            self._retain(series_id, catch_up)
        if settled.unsound.count and not settled.rows:
            raise self._reports.row(settled.series, settled.unsound.time_ns)
        return len(settled.rows)

    def age(self, series_id: int, catch_up: Callable[[], None]) -> bool:
        """Forget what got too old though no row came, and say whether more may be to go.

        `catch_up` is as with `checkpoint`. Raises: IoError.
        """
        if self._stopping or self._held:
            return False
        self._retain(series_id, catch_up)
        return self._shed(series_id, catch_up)

    def _settled(self, reader: sqlite3.Connection, series_id: int) -> Settled:
        known = journal.by_id(reader, series_id)
        settled, lost = (
            journal.settled(reader, known, self._keeping.window_ns),
            unsound(reader, known.id),
        )
        count = series.ready(known.waiting - lost.count, settled, known.chunk_rows)
        return Settled(known, journal.oldest(reader, known, count), lost)

    def _retain(self, series_id: int, catch_up: Callable[[], None]) -> None:
        """The database forgets first. Should the files not follow, `recover` sees to it."""
        if self._stopping or self._held:
            return
        now_ns, keep = self._steadiness.aging_ns(), self._keeping.retention
        if self.look(lambda reader: _exceeds(reader, series_id, now_ns, keep)):
            known, count, overtaken = self._droppable(series_id, now_ns)
            if overtaken:
                catch_up()
                known, count, _ = self._droppable(series_id, now_ns)
            if count:
                self._drop(known, known.dropped + count)
        if series_id in self._behind:
            self._place(self.look(lambda reader: journal.by_id(reader, series_id)))
            self._behind.discard(series_id)

    def _drop(self, known: journal.Series, first: int) -> None:
        self._recovered.pop(known.id, None)
        self._behind.add(known.id)
        self._submit(lambda database: journal.drop(database, known, first)).result()

    def _shed(self, series_id: int, catch_up: Callable[[], None]) -> bool:
        """Let some rows that wait go for their age; whether more of them may have to."""
        now_ns, keep = self._steadiness.aging_ns(), self._keeping.retention
        oldest_ns, done_ns = self._waiting_ns(series_id)
        if aging.overtakes(oldest_ns, done_ns, now_ns, keep):
            catch_up()
            oldest_ns, done_ns = self._waiting_ns(series_id)
        before_ns = aging.before_ns(oldest_ns, done_ns, now_ns, keep)
        if before_ns is None:
            return False
        gone = self._submit(lambda database: journal.shed(database, series_id, before_ns, SHED))
        return gone.result() == SHED

    def _waiting_ns(self, series_id: int) -> tuple[int | None, int]:
        """The time of the oldest row that waits, and how far coarser series have come."""
        return self.look(
            lambda reader: (
                journal.oldest_waiting(reader, series_id),
                downsampling.done_ns(reader, series_id),
            )
        )

    def _droppable(self, series_id: int, now_ns: int) -> tuple[journal.Series, int, bool]:
        """A series, how many of its chunks are to go, and whether coarser series lack some."""
        known, chunks, done_ns = self._chunks(series_id)
        count = series.droppable(
            chunks, known.chunk_rows, known.waiting, now_ns, self._keeping.retention, done_ns
        )
        return known, count, series.overtaken(chunks, count, done_ns)

    def trim(self, namespace: str, name: str, before_ns: int) -> int:
        """Let rows from before that time go, those in files whole chunks at a time: how many.

        Raises: IoError, also NOT_FOUND; ServiceUnavailable while a backup is made.
        """
        self.require_free()
        known, chunks, _ = self._chunks(
            self.look(lambda reader: existing(reader, namespace, name)).id
        )
        count = series.before(chunks, before_ns)
        first = known.dropped + count
        self._recovered.pop(known.id, None)
        gone = self._submit(lambda database: journal.trim(database, known, first, before_ns))
        rows = count * known.chunk_rows + gone.result()
        if count:
            self._place(replace(known, dropped=first))
        return rows

    def _chunks(self, series_id: int) -> tuple[journal.Series, tuple[Chunk, ...], int]:
        """A series, its chunks, and how far its coarser series have come."""

        def found(reader: sqlite3.Connection) -> tuple[journal.Series, tuple[Chunk, ...], int]:
            known = journal.by_id(reader, series_id)
            chunks = journal.chunks(reader, known, EVERYTHING.within)
            return known, chunks, downsampling.done_ns(reader, series_id)

        return self.look(found)

    def _write(self, settled: Settled) -> None:
        from hel_actor.series.column import columns

        known, rows = settled.series, settled.rows
        place = self._place(known)
        self._recovered.pop(known.id, None)  # Until all is done, files are beyond what is known.
        archive = self._archive()
        sizes = archive.write(place, columns([row[1:] for row in rows]))
        chunks = series.cut([row[1] for row in rows], known.chunks, known.chunk_rows, sizes)
        archive.publish(place_of(known, known.chunks + len(chunks)))
        last = rows[-1][1], rows[-1][0]
        newest_row = known.next_row - 1
        self._submit(
            lambda database: journal.commit(database, known, chunks, last, newest_row)
        ).result()
        self._recovered[known.id] = known.mark

    def describe(self, series_id: int) -> None:
        """Let the files have the attributes that the database has. Raises: IoError."""
        self._recovered.pop(series_id, None)
        if self._stopping:
            return
        known = self.look(lambda reader: journal.by_id(reader, series_id))
        if known.chunks > known.dropped:  # Else they get them with their first chunk.
            self._place(known)

    def find(self, namespace: str, name: str, reading: Reading) -> Snapshot:
        """What is there now, as far as it may have the wanted rows.

        Raises: IoError, also NOT_FOUND.
        """
        return self._snapshot(lambda reader: existing(reader, namespace, name), reading)

    def look(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """What `read` finds in the database, all of one moment.

        Raises: IoError; ServiceUnavailable after `stop`.
        """
        if self._stopping:
            raise ServiceUnavailable("Hel is stopping", code=ErrorCode.DRAINING)
        with self._named("the series cannot be read"), self._reading() as reader:
            reader.execute("BEGIN")
            try:
                return read(reader)
            finally:
                reader.execute("ROLLBACK")

    def parts(self, snapshot: Snapshot, *arrays: str) -> Iterator[Part]:
        """The rows of a snapshot that are in files, in blocks; without `arrays`, whole.

        Whatever happens between two blocks is allowed for; what was forgotten meanwhile is left
        out.

        Raises: IoError, also DATA_LOSS; ServiceUnavailable after `stop`.
        """
        if not snapshot.chunks:
            return
        import numpy as np

        numbers = [chunk.number for chunk in snapshot.chunks]
        left = series.left_after(snapshot.chunks)
        within, chunk_rows = snapshot.within, snapshot.series.chunk_rows
        for start, count in series.runs(numbers, chunk_rows):
            known = self.look(lambda reader: journal.by_id(reader, snapshot.series.id))
            first = max(start, known.dropped)
            if first >= start + count:
                continue
            place = self._readable(known)
            try:
                rows = self._archive().read(place, first, start + count - first, arrays or ARRAYS)
            except DamagedChunk as found:
                raise self._reports.chunk(snapshot.series, snapshot.chunks, found) from found
            inside = np.flatnonzero((rows.times >= within.start_ns) & (rows.times < within.end_ns))
            yield Part(inside + first * chunk_rows, rows.only(inside), left[start + count - 1])

    def _snapshot(
        self, find: Callable[[sqlite3.Connection], journal.Series], reading: Reading
    ) -> Snapshot:
        from hel_actor.series.column import damaged_ns, gathered

        limit, newest = reading.limit, reading.newest

        def taken(reader: sqlite3.Connection) -> Snapshot:
            found, within = find(reader), reading.within
            chunks = journal.chunks(reader, found, within)
            if limit is not None:
                within = series.narrowed(chunks, within, limit, newest, found.chunk_rows)
                chunks = series.needed(chunks, within)
            waiting = gathered(journal.waiting(reader, found, within, limit, newest=newest))
            lost_ns = damaged_ns(waiting)
            if lost_ns is not None:
                raise self._reports.row(found, lost_ns)
            order = slice(None, None, -1 if newest else 1)
            return Snapshot(found, within, chunks, waiting.only(order))

        return self.look(taken)

    def _readable(self, known: journal.Series) -> "Place":
        """Where its files are: in order if that can be, as the disk may take no change."""
        try:
            return self._place(known)
        except IoError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            return self._archive().unchanged(place_of(known, known.chunks))

    def _place(self, known: journal.Series) -> "Place":
        """Where its files are, which are in order after this."""
        place = place_of(known, known.chunks)
        if self._recovered.get(known.id) != known.mark:
            with self._named(f"the files of '{known.name}' cannot be put in order"):
                self._set_aside(known)
                for report in self._archive().recover(place):
                    self._log.error("%s", report)
            self._recovered[known.id] = known.mark
        return place

    def _set_aside(self, known: journal.Series) -> None:
        """What is left there of series that had the name before, and were removed."""
        where = known.namespace, known.name
        for removed in self.look(lambda reader: removal.of_place(reader, *where)):
            remains.set_aside(self._storage, self._folder, removed)

    def _archive(self) -> "Archive":
        if self._opened is None:
            from hel_actor.series.archive import Archive

            self._opened = Archive(self._folder, self._storage)
        return self._opened

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Whoever called is told, and nobody else: the log has what nobody waits for."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise IoError(f"{what}: {reason}") from error


def _exceeds(reader: sqlite3.Connection, series_id: int, now_ns: int, keep: Retention) -> bool:
    known = journal.by_id(reader, series_id)
    stock = journal.stock(reader, known, now_ns)
    return series.exceeds(stock, known.chunk_rows, known.waiting, now_ns, keep)


def existing(connection: sqlite3.Connection, namespace: str, name: str) -> journal.Series:
    """Raises: IoError (NOT_FOUND), which tells which there are."""
    found = journal.find(connection, namespace, name)
    if found is None:
        there = ", ".join(journal.names(connection, namespace)[:10])
        raise IoError(
            f"there is no series '{name}'; "
            + (f"this script has {there}" if there else "this script has none"),
            code=ErrorCode.NOT_FOUND,
        )
    return found
