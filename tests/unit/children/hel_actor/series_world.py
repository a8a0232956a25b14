"""A database and the store of time series over one folder, as Hel has them."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hel_actor.database.answer import or_raised
from hel_actor.database.database import Database
from hel_actor.schema import MIGRATIONS
from hel_actor.series import journal, window
from hel_actor.series.journal import Appended, Batch, Quota
from hel_actor.series.query import Queries
from hel_actor.series.reading import Reading
from hel_actor.series.series import MAX_NS, MIN_NS, S_NS, Retention, Span
from hel_actor.series.store import Keeping, SeriesStore
from hel_actor.storage import Disk, Storage
from hel_actor.turns import Steps

from loki.clock import FakeClock
from loki.errors import IoError, LokiError
from tests.unit.children.hel_actor.failing import FailingDisk

if TYPE_CHECKING:  # It brings numpy, which tests of a Hel without it must not import.
    from hel_actor.series.aggregation import Result

T = TypeVar("T")

ALL = Span(MIN_NS, MAX_NS)
LOG = logging.getLogger("test.series")
CHUNK_ROWS = 16
WINDOW_NS = 10
KEEP_ALL = Retention(MAX_NS, 10**9, 10**9)


def answer(steps: Steps[T]) -> T:
    """What a query gives in the end, or raises."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


class World:
    """A database and a store over one folder, as Hel has them; `restart` forgets the rest."""

    def __init__(self, folder: Path, worker: ThreadPoolExecutor) -> None:
        self.folder = folder
        self.retention = KEEP_ALL
        self.clock = FakeClock(now_ns=1_700_000_000 * S_NS)
        self._worker = worker
        self.open()

    def open(self, storage: Storage | None = None) -> None:
        path = self.folder / "hel.sqlite"
        self.database = Database(path, MIGRATIONS, self._worker, FakeClock(), LOG)
        self.store = self.of(storage or Disk())

    def of(self, storage: Storage) -> SeriesStore:
        return SeriesStore(
            self.database.reading,
            self.database.submit,
            self.folder / "series",
            Keeping(WINDOW_NS, self.retention),
            self.clock,
            LOG,
            storage,
        )

    def grow(
        self, _: str, __: int, change: "Callable[[sqlite3.Connection], T | LokiError]", /
    ) -> "Future[T]":
        """Without any limit."""
        return or_raised(self.database.submit(change))

    def close(self) -> None:
        self.database.close().result(20)

    def restart(self, storage: Storage | None = None) -> None:
        self.close()
        self.open(storage)

    def append(self, times: Sequence[int], name: str = "t") -> None:
        """The value tells the time, so that columns that got mixed up are seen."""
        batch = Batch([(time, time / 4, time % 5) for time in times])
        quota = Quota(10, CHUNK_ROWS)
        done = self.database.submit(lambda db: journal.append(db, "tool", name, batch, quota))
        assert isinstance(done.result(20), Appended)

    def checkpoint(self) -> int:
        """All rows that may become files now do."""
        total = 0
        while count := self.store.checkpoint(1):
            total += count
        return total

    @property
    def queries(self) -> Queries:
        return Queries(self.store)

    def times(self, within: Span = ALL, **options: int) -> list[int]:
        rows = answer(self.queries.read("tool", "t", Reading(within, **options)))
        assert rows.values.tolist() == [time / 4 for time in rows.times.tolist()]
        assert rows.qualities.tolist() == [time % 5 for time in rows.times.tolist()]
        return rows.times.tolist()

    def aggregate(self, within: Span, statistic: str, every_s: float | None) -> "list[Result]":
        every_ns = window.checked_length(every_s)
        return answer(self.queries.aggregate("tool", "t", within, statistic, every_ns))

    def waiting(self) -> int:
        return self.database.submit(lambda db: journal.by_id(db, 1).waiting).result(20)


def tried(disk: FailingDisk, act: Callable[[], T]) -> T | None:
    """What it gives, or None where it failed because the disk did just then."""
    fired_before = disk.fired
    try:
        return act()
    except IoError:
        assert disk.fired
        assert not fired_before, "only one operation fails"
        return None
