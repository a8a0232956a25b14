"""The series' thread: checkpoints, reads over files and journal, restarts and failing disks."""

import errno
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hel_actor.series import series
from hel_actor.series.column import Columns
from hel_actor.series.series import Retention, Span
from hel_actor.storage import Disk

from loki.errors import ErrorCode, IoError, ServiceUnavailable
from tests.unit.children.hel_actor.failing import FailingDisk, Failure
from tests.unit.children.hel_actor.series_world import (
    ALL,
    CHUNK_ROWS,
    KEEP_ALL,
    WINDOW_NS,
    World,
    tried,
)

CODES = [errno.ENOSPC, errno.EIO]


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


def test_queries_wait_for_few_files_of_a_backlog_however_small_they_are(world: World) -> None:
    written: list[Path] = []

    class Counting(Disk):
        def write(self, path: Path, content: bytes) -> None:
            written.append(path)
            super().write(path, content)

    world.retention = replace(KEEP_ALL, rows=200)
    world.store = world.of(Counting())
    world.append(range(1500))
    turns = 0
    while world.store.checkpoint(1):
        turns += 1
        assert len(written) < 80
        written.clear()
    assert turns == 6
    assert len(world.times()) <= 200 + CHUNK_ROWS


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


def test_a_long_query_gives_up_at_a_stop(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    world.store.stop()
    with pytest.raises(ServiceUnavailable) as stopped:
        world.aggregate(ALL, "mean", None)
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


def test_files_are_kept_aside_also_where_the_database_went_while_it_was_open(
    world: World, tmp_path: Path
) -> None:
    world.append(range(50))
    world.checkpoint()
    before = (tmp_path / "series/tool/t/value/c/0").read_bytes()
    for file in tmp_path.glob("hel.sqlite*"):
        file.unlink()
    with pytest.raises(IoError, match="removed or replaced"):
        world.append([1])
    world.append(range(100, 150))
    world.checkpoint()
    assert world.times() == list(range(100, 150))
    assert (tmp_path / "series/tool/t~1/value/c/0").read_bytes() == before


def test_s_8_5_3_an_older_database_costs_no_row_of_the_files(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import zarr

    world.append(range(50))
    world.checkpoint()
    world.close()
    older = (tmp_path / "hel.sqlite").read_bytes()
    world.open()
    world.append(range(50, 150))
    world.checkpoint()
    world.close()
    (tmp_path / "hel.sqlite").write_bytes(older)
    world.open()
    assert world.times() == list(range(50))
    assert "chunks of a newer database: all is kept as t~1" in caplog.text
    world.append(range(200, 300))
    world.checkpoint()
    assert world.times() == [*range(50), *range(200, 300)]
    aside = zarr.open_group(tmp_path / "series/tool/t~1", mode="r")
    assert np.asarray(aside["time"][:]).tolist() == list(range(128))
    assert np.asarray(aside["value"][:]).tolist() == [time / 4 for time in range(128)]
    assert len(list((tmp_path / "series/tool").glob("t~*"))) == 1


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


def test_nothing_is_trimmed_while_a_backup_is_made(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    world.store.hold(True)
    with pytest.raises(ServiceUnavailable, match="backup"):
        world.store.trim("tool", "t", 40)
    world.store.hold(False)
    assert world.store.trim("tool", "t", 40) == 40
    assert world.times() == list(range(40, 50))
