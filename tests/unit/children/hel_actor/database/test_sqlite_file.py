"""The SQLite file on the disk: a fresh copy takes its place, and nothing is lost."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hel_actor.schema import MIGRATIONS

from loki.errors import IoError
from tests.unit.children.hel_actor.database_world import EVERY, World, get, put
from tests.unit.children.hel_actor.failing import FailingDisk, Failure


@pytest.fixture
def world(tmp_path: Path, worker: ThreadPoolExecutor) -> Iterator[World]:
    world = World(tmp_path / "state" / "hel.sqlite", worker)
    yield world
    world.close()


def failing_disks(how: Failure) -> Iterator[FailingDisk]:
    """Each fails one operation later, until one does not come to that."""
    for n in EVERY:
        disk = FailingDisk(n, how, errno.EIO)
        yield disk
        if not disk.fired:
            return


@pytest.mark.parametrize("how", Failure)
def test_s_8_3_2_nothing_is_lost_whichever_operation_of_the_copying_fails(
    tmp_path: Path, worker: ThreadPoolExecutor, how: Failure
) -> None:
    for number, disk in enumerate(failing_disks(how)):
        world = World(tmp_path / str(number) / "hel.sqlite", worker)
        world.do(put("k", b"old"))
        world.fail_fsync()
        world.database._file._storage = disk
        if world.mend():
            assert disk.fired
            assert world.do(get("k")) == b"old"
            assert world.mend() == ""
        world.do(put("n", b"1"))
        assert (world.do(get("k")), world.do(get("n"))) == (b"old", b"1")
        world.close()
        assert [path.name for path in world.path.parent.iterdir()] == ["hel.sqlite"]
    assert number >= 5


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("step", ["rename", "sync_directory", "remove", "sync_file"])
def test_s_8_3_2_nothing_is_lost_by_a_kill_while_the_copy_takes_its_place(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """What the disk holds before or after a step is what another process opens."""
    world.do(put("k", b"old"))
    world.fail_fsync()
    holder = sqlite3.connect(world.path)  # Keeps the log from being folded into the file.
    holder.execute("SELECT * FROM keyvalue").fetchone()
    seen, act = tmp_path / "seen", getattr(FailingDisk, step)

    def killed(*arguments: object) -> None:
        if after:
            act(*arguments)
        if not seen.exists():
            shutil.copytree(world.path.parent, seen)
        if not after:
            act(*arguments)

    monkeypatch.setattr(FailingDisk, step, killed)
    assert world.mend() == ""
    holder.close()
    world.path = seen / "hel.sqlite"
    world.close()
    world.database = world.open()
    assert world.do(get("k")) == b"old"
    world.do(put("n", b"1"))
    world.close()
    assert [path.name for path in seen.iterdir()] == ["hel.sqlite"]


@pytest.mark.parametrize("damage", [lambda path: os.truncate(path, 6000), os.unlink])
def test_a_copy_that_cannot_be_read_back_does_not_take_the_place(
    world: World, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    for number in range(50):
        world.do(put(f"k{number}", b"v" * 500))
    world.fail_fsync()
    with monkeypatch.context() as patched:
        patched.setattr(FailingDisk, "sync_file", lambda _, path: damage(path))
        assert world.mend()
    assert world.do(get("k7")) == b"v" * 500
    assert not list(world.path.parent.glob("*.copy*"))
    assert world.mend() == ""
    assert world.do(get("k7")) == b"v" * 500


def test_a_file_of_a_newer_loki_is_a_trouble_and_is_not_touched(
    tmp_path: Path, worker: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hel.sqlite"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("CREATE TABLE of_tomorrow (a)")
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes(), path.stat().st_mtime_ns
    world = World(path, worker)
    for _ in range(3):
        with pytest.raises(IoError, match="newer Loki"):
            world.do(put("k", b"v"))
        assert "newer Loki" in world.mend()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert os.listdir(tmp_path) == ["hel.sqlite"]
    assert len(caplog.records) == 1
    path.unlink()
    assert world.mend() == ""
    world.do(put("k", b"v"))
    world.close()


def test_damaged_text_is_shown_to_whoever_reads_it(world: World) -> None:
    damaged = "SELECT CAST(x'61c3' AS TEXT), 'é'"

    def look(connection: sqlite3.Connection) -> object:
        return connection.execute(damaged).fetchone()

    assert world.do(look) == (r"a\xc3", "é")
    with world.database.reading() as reader:
        assert look(reader) == (r"a\xc3", "é")
