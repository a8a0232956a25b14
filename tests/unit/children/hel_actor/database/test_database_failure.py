"""The database on a disk that fails: what is refused, what goes on, and how it is well again."""

import errno
import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hel_actor.database.database import pause_s
from hel_actor.database.room import LOW_BYTES
from hel_actor.value import keyvalue

from loki.errors import IoError
from tests.unit.children.hel_actor.database_world import (
    EVERY,
    Bad,
    World,
    add,
    get,
    put,
    stored,
)
from tests.unit.children.hel_actor.failing import Failure, Fuse, connecting


@pytest.fixture
def world(tmp_path: Path, worker: ThreadPoolExecutor) -> Iterator[World]:
    world = World(tmp_path / "state" / "hel.sqlite", worker)
    yield world
    Bad.codes.clear()
    world.close()


def test_a_full_disk_is_an_error_of_one_call(world: World) -> None:
    world.do(put("k", b"old"))
    Bad.codes.extend([sqlite3.SQLITE_FULL] * 2)
    with pytest.raises(IoError, match="changed nothing"):
        world.do(put("k", b"new"))
    assert world.database.trouble == ""
    assert world.do(get("k")) == b"old"
    world.do(put("k", b"new"))
    assert world.do(get("k")) == b"new"


def test_on_a_full_disk_what_is_large_does_not_fail_what_is_small(
    world: World, worker: ThreadPoolExecutor
) -> None:
    world.do(put("k", b"old"))
    world.disk.free = LOW_BYTES // 2
    go, busy = threading.Event(), threading.Event()
    worker.submit(lambda: (busy.set(), go.wait(20)))
    assert busy.wait(20)
    large = world.database.submit(put("large", bytes(LOW_BYTES)))
    small = world.database.submit(put("k", b"new"))
    go.set()
    with pytest.raises(IoError, match="full"):
        large.result(20)
    small.result(20)
    assert stored(world.path) == {b"k": b"new"}
    world.disk.free = 0
    world.do(lambda c: keyvalue.remove(c, "tool", "k"))
    with pytest.raises(IoError, match="full"):
        world.do(put("k", bytes(20_000)))
    world.disk.free = None
    world.do(put("large", bytes(LOW_BYTES)))
    assert stored(world.path) == {b"large": bytes(LOW_BYTES)}


def test_the_log_stays_small_while_the_disk_is_nearly_full(world: World) -> None:
    log = Path(f"{world.path}-wal")
    world.disk.free = LOW_BYTES - 1
    for number in range(100):
        world.do(put(f"k{number}", b"v" * 10_000))
    assert log.stat().st_size < 200_000
    assert len(stored(world.path)) == 100


def test_s_8_3_2_after_a_failed_fsync_only_what_changes_nothing_is_answered(world: World) -> None:
    world.do(put("k", b"old"))
    world.fail_fsync()
    for change in (put("k", b"new"), add, lambda c: keyvalue.remove(c, "tool", "k")):
        with pytest.raises(IoError, match="no change is taken: the disk failed to write"):
            world.do(change)
    assert world.do(get("k")) == b"old"
    with world.database.reading() as reader:
        assert keyvalue.get(reader, "tool", "k") == b"old"
    assert "tried again" in world.database.trouble


def test_s_8_3_2_after_a_failed_fsync_a_copy_takes_the_place_of_the_file(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.do(put("k", b"old"))
    with world.database.reading():
        pass  # It is open from here on.
    old = world.path.stat().st_ino
    world.fail_fsync()
    caplog.set_level(logging.INFO)
    assert world.mend() == ""
    assert "well again" in caplog.text
    assert world.path.stat().st_ino != old
    world.do(put("n", b"1"))
    assert (world.do(get("k")), world.do(get("n"))) == (b"old", b"1")
    with world.database.reading() as reader:
        assert keyvalue.get(reader, "tool", "n") == b"1"
    world.close()
    assert [path.name for path in world.path.parent.iterdir()] == ["hel.sqlite"]
    with closing(sqlite3.connect(world.path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert keyvalue.get(other, "tool", "n") == b"1"


def test_the_copy_is_tried_at_growing_distances(world: World) -> None:
    world.do(put("k", b"old"))
    world.fail_fsync()
    assert world.mend(0.9)
    assert world.mend(0.2) == ""
    assert [pause_s(n) for n in (1, 2, 3, 7, 8, 900)] == [1, 2, 4, 60, 60, 60]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (Failure.BEFORE, errno.ENOSPC),  # After it there is none: a commit that is done fits.
        (Failure.BEFORE, errno.EIO),
        (Failure.AFTER, errno.EIO),
    ],
)
def test_s_8_3_2_values_are_whole_whichever_statement_fails(
    tmp_path: Path, worker: ThreadPoolExecutor, how: Failure, code: int
) -> None:
    """The n-th statement fails, for every n until none does: of opening, and of each change."""
    steps: list[tuple[Callable[[sqlite3.Connection], object], dict[bytes, bytes]]] = [
        (put("k", b"1"), {b"k": b"1"}),
        (put("k", b"2"), {b"k": b"2"}),
        (add, {b"k": b"2", b"n": b"\x01"}),
        (add, {b"k": b"2", b"n": b"\x02"}),
        (lambda c: keyvalue.remove(c, "tool", "k"), {b"n": b"\x02"}),
    ]
    for n in EVERY:
        fuse, path = Fuse(n, how, code), tmp_path / str(n) / "hel.sqlite"
        world = World(path, worker)
        world.close()
        world.database = world.open(connecting(fuse))
        expected: dict[bytes, bytes] = {}
        for change, then in steps:
            try:
                world.do(change)
            except IoError:
                assert fuse.fired
                found = stored(path)
                assert found in (expected, then), n
                if found != then:
                    world.do(change)
            expected = then
            assert stored(path) == expected, n
        world.close()
        assert stored(path) == expected
        if not fuse.fired:
            break
    assert n > 20


def test_values_work_again_after_somebody_removed_the_file(world: World) -> None:
    """What would be written into a file without a name is not acknowledged."""
    world.do(put("k", b"old"))
    with world.database.reading() as reader:
        assert keyvalue.get(reader, "tool", "k") == b"old"
    shutil.rmtree(world.path.parent)
    with pytest.raises(IoError, match="removed or replaced"):
        world.do(put("k", b"new"))
    assert world.do(get("k")) is None
    world.do(put("k", b"new"))
    assert stored(world.path) == {b"k": b"new"}
    with world.database.reading() as reader:
        assert keyvalue.get(reader, "tool", "k") == b"new"


def test_what_was_opened_while_it_was_read_only_is_opened_again(
    tmp_path: Path, worker: ThreadPoolExecutor
) -> None:
    world = World(tmp_path / "hel.sqlite", worker)
    world.do(put("k", b"old"))
    world.close()
    read_only = [True]

    def connect(path: Path) -> sqlite3.Connection:
        mode = "ro" if read_only else "rw"
        return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True)

    world.database = world.open(connect)
    with pytest.raises(IoError, match="readonly"):
        world.do(put("k", b"new"))
    read_only.clear()
    world.do(put("k", b"new"))
    assert world.do(get("k")) == b"new"
    world.close()
