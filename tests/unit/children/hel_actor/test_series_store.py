"""The series' thread: checkpoints, reads over files and journal, restarts and failing disks."""

import errno
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import pytest
from hel_actor import journal, series
from hel_actor.column import Columns
from hel_actor.database import Database
from hel_actor.journal import Appended, Batch, Quota
from hel_actor.migration import MIGRATIONS
from hel_actor.series import MAX_NS, MIN_NS, S_NS, Retention, Span
from hel_actor.series_store import Keeping, Reading, SeriesStore
from hel_actor.storage import Disk, Storage

from loki.clock import FakeClock
from loki.errors import ErrorCode, IoError, ServiceUnavailable
from tests.unit.children.hel_actor.failing import FailingDisk, Failure

ALL = Span(MIN_NS, MAX_NS)
LOG = logging.getLogger("test.series")
CHUNK_ROWS = 16
WINDOW_NS = 10
KEEP_ALL = Retention(MAX_NS, 10**9, 10**9)
CODES = [errno.ENOSPC, errno.EIO]


class World:
    """A database and a store over one folder, as Hel has them; `restart` forgets the rest."""

    def __init__(self, folder: Path, worker: ThreadPoolExecutor) -> None:
        self.folder = folder
        self.retention = KEEP_ALL
        self._worker = worker
        self.open()

    def open(self, storage: Storage | None = None) -> None:
        path = self.folder / "hel.sqlite"
        self.database = Database(path, MIGRATIONS, self._worker, FakeClock(), LOG)
        self.store = self.of(storage or Disk())

    def of(self, storage: Storage) -> SeriesStore:
        path = self.folder / "hel.sqlite"
        return SeriesStore(
            path,
            self.database.submit,
            self.folder / "series",
            Keeping(WINDOW_NS, self.retention),
            FakeClock(now_ns=1_700_000_000 * S_NS),
            LOG,
            storage,
        )

    def close(self) -> None:
        self.store.close()
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
        return self.store.checkpoint(1)

    def times(self, within: Span = ALL, **options: int) -> list[int]:
        rows = self.store.read("tool", "t", Reading(within, **options))
        assert rows.values.tolist() == [time / 4 for time in rows.times.tolist()]
        assert rows.qualities.tolist() == [time % 5 for time in rows.times.tolist()]
        return rows.times.tolist()

    def waiting(self) -> int:
        return self.database.submit(lambda db: journal.by_id(db, 1).waiting).result(20)


@pytest.fixture
def world(tmp_path: Path, worker: ThreadPoolExecutor) -> Iterator[World]:
    world = World(tmp_path, worker)
    yield world
    world.close()


def test_s_8_5_3_rows_are_read_from_files_and_journal(world: World) -> None:
    world.append(range(50))
    assert world.checkpoint() == 32
    assert world.checkpoint() == 0
    assert world.waiting() == 18
    assert world.times() == list(range(50))
    world.restart()
    assert world.times() == list(range(50))


def test_a_backlog_is_written_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "COMMITTED_ROWS", 32)
    world.append(range(200))
    assert world.checkpoint() == 176
    assert world.times() == list(range(200))
    assert world.checkpoint() == 0


def test_s_8_5_3_late_rows_are_sorted_into_the_files(world: World) -> None:
    world.append([*range(0, 30, 2), *range(40, 60)])
    world.append(range(1, 30, 2))
    world.checkpoint()
    world.append(range(30, 40))
    assert world.times() == list(range(60))


def test_s_8_5_3_rows_that_come_too_late_for_that_are_kept_too(world: World) -> None:
    world.append(range(100, 200))
    world.checkpoint()
    world.append([*range(50, 100), *range(200, 300)])
    assert world.checkpoint() > 0
    world.append([0])
    assert world.times() == [0, *range(50, 300)]
    assert world.times(Span(90, 110)) == list(range(90, 110))
    assert world.times(limit=60) == [0, *range(50, 109)]
    assert world.times(limit=120, newest=True) == list(range(180, 300))


@pytest.mark.parametrize("limit", [1, 15, 16, 17, 40, 200])
def test_a_limit_leaves_the_first_or_the_last_rows(world: World, limit: int) -> None:
    world.append(range(100))
    world.checkpoint()
    assert world.times(limit=limit) == list(range(100))[:limit]
    assert world.times(limit=limit, newest=True) == list(range(100))[-limit:]
    assert world.times(Span(30, 70), limit=limit) == list(range(30, 70))[:limit]


def test_rows_of_one_time_keep_their_order(world: World) -> None:
    batch = Batch([(7, float(n), 0) for n in range(40)])
    world.database.submit(lambda db: journal.append(db, "tool", "t", batch, Quota(1, 16))).result()
    world.append(range(20, 30))
    world.checkpoint()
    rows = world.store.read("tool", "t", Reading(Span(7, 8)))
    assert rows.values.tolist() == [float(n) for n in range(40)]
    results = [world.store.aggregate("tool", "t", Span(7, 8), f, None) for f in ("first", "last")]
    assert [each.value for (each,) in results] == [0.0, 39.0]


def test_reading_stops_where_there_is_too_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MAX_ROWS", 40)
    world.append(range(100))
    world.checkpoint()
    assert world.times() == list(range(41))
    assert world.times(Span(50, 90)) == list(range(50, 90))


def test_s_8_5_2_windows_over_files_and_journal(world: World) -> None:
    world.append([n * S_NS for n in range(50)])
    world.checkpoint()
    results = world.store.aggregate("tool", "t", Span(5 * S_NS, 45 * S_NS), "count", 10.0)
    assert [(each.start_ns // S_NS, each.count) for each in results] == [
        (5, 10),
        (15, 10),
        (25, 10),
        (35, 10),
    ]
    (mean,) = world.store.aggregate("tool", "t", ALL, "mean", None)
    assert (mean.value, mean.count) == (24.5 * S_NS / 4, 50)


def test_a_series_without_rows_there_has_no_windows(world: World) -> None:
    world.append([5])
    assert world.store.aggregate("tool", "t", Span(6, 9), "mean", 1.0) == []
    world.append([])
    assert world.times(Span(6, 9)) == []


@pytest.mark.parametrize("there", [[], ["a", "b"]])
def test_a_missing_series_is_said_with_those_there_are(world: World, there: list[str]) -> None:
    for name in there:
        world.append([1], name)
    with pytest.raises(IoError, match="a, b" if there else "has none") as missing:
        world.store.read("tool", "t", Reading(ALL))
    assert missing.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(IoError, match="no series 't'"):
        world.store.aggregate("tool", "t", ALL, "mean", None)


def test_a_long_query_gives_up_at_a_stop(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    world.store.stop()
    with pytest.raises(ServiceUnavailable) as stopped:
        world.store.aggregate("tool", "t", ALL, "mean", None)
    assert stopped.value.code is ErrorCode.DRAINING
    world.append(range(50, 100))
    assert world.checkpoint() == 0


def test_files_that_the_database_lost_are_kept_aside(world: World, tmp_path: Path) -> None:
    world.append(range(50))
    world.checkpoint()
    world.close()
    for file in tmp_path.glob("hel.sqlite*"):
        file.unlink()
    world.open()
    world.append(range(100, 150))
    world.checkpoint()
    assert world.times() == list(range(100, 150))
    assert (tmp_path / "series/tool/t~1/value/c/1").exists()


def refused_commit(world: World) -> Callable[..., "Future[object]"]:
    """Let the next commit of a checkpoint fail, as after a kill before it."""

    def submit(perform: Callable[..., object]) -> "Future[object]":
        failed: Future[object] = Future()
        failed.set_exception(IoError("the disk is full"))
        return failed

    return submit


def test_files_whose_commit_failed_are_written_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append(range(50))
    world.times()
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "_submit", refused_commit(world))
        with pytest.raises(IoError, match="the disk is full"):
            world.checkpoint()
    world.append([3, 4])  # They belong into the chunk that is there already.
    assert world.times() == sorted([*range(50), 3, 4])
    assert world.checkpoint() == 32
    assert world.times() == sorted([*range(50), 3, 4])


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder where an fsync takes no time."""
    shared = Path("/dev/shm")
    with TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


T = TypeVar("T")


def tried(disk: FailingDisk, act: Callable[[], T]) -> T | None:
    """What it gives, or None where it failed because the disk did just then."""
    fired_before = disk.fired
    try:
        return act()
    except IoError:
        assert disk.fired
        assert not fired_before, "only one operation fails"
        return None


KEEP_32 = replace(KEEP_ALL, rows=32)
FAILURES = [
    (Failure.BEFORE, True, KEEP_ALL, 0),
    (Failure.BEFORE, False, KEEP_32, 32),
    (Failure.HALF, True, KEEP_32, 32),
    (Failure.AFTER, True, KEEP_32, 32),
]


@pytest.mark.parametrize(("how", "killed", "keep", "first"), FAILURES)
def test_s_8_5_3_no_row_is_lost_whichever_operation_fails(
    in_memory: Path,
    worker: ThreadPoolExecutor,
    how: Failure,
    killed: bool,
    keep: Retention,
    first: int,
) -> None:
    """The n-th operation fails, for every n until none does: in a first and a later checkpoint."""
    n = 0
    disk = FailingDisk(0)
    while disk.fired:
        n += 1
        disk = FailingDisk(n, how, CODES[n % 2])
        world = World(in_memory / str(n), worker)
        world.retention = keep
        world.store = world.of(disk)
        for start in (0, 30):
            world.append(range(start, start + 30))
            tried(disk, world.checkpoint)
            if killed:
                world.restart(disk)
            times = tried(disk, world.times) or world.times()
            assert times == list(range(times[0], start + 30)), n
            assert times[0] in (0, first if start else 0), n
        world.append([60])
        world.checkpoint()
        assert world.waiting() < WINDOW_NS + CHUNK_ROWS
        assert world.times() == list(range(first, 61)), n
        assert not list(world.folder.rglob("*.partial"))
        world.close()
    assert n > 40


def test_s_8_5_3_retention_leaves_files_that_others_can_read(world: World, tmp_path: Path) -> None:
    import xarray

    world.retention = replace(KEEP_ALL, rows=64)
    world.restart()
    for start in range(0, 400, 20):
        world.append(range(start, start + 20))
        world.checkpoint()
        times = world.times()
        assert times == list(range(times[0], start + 20))
        assert len(times) <= 64 + 20
    with xarray.open_zarr(tmp_path / "series/tool/t", decode_times=False) as dataset:
        found = dataset.time.values.tolist()
        assert found == list(range(times[0], times[0] + len(found)))
        assert dataset.value.values.tolist() == [time / 4 for time in found]


def test_files_have_no_holes_and_are_sorted(world: World, tmp_path: Path) -> None:
    import zarr

    world.append([*range(0, 300, 3), *range(1, 300, 3), *range(2, 300, 3)])
    world.append(range(300, 400))
    world.checkpoint()
    group = zarr.open_group(tmp_path / "series/tool/t", mode="r")
    found = Columns(*(group[name][:] for name in ("time", "value", "quality")))
    assert len(found) == 384
    assert found.times.tolist() == list(range(384))
    assert not np.isnan(found.values).any()
