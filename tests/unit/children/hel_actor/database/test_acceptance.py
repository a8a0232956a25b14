"""A database whose disk takes no changes: trouble that begins, stands and ends by itself."""

import logging
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hel_actor.database.room import LOW_BYTES
from hel_actor.refusal import QUIET_S
from hel_actor.value import keyvalue

from loki.errors import IoError
from tests.unit.children.hel_actor.database_world import Bad, World, get, put, stored


@pytest.fixture
def world(tmp_path: Path, worker: ThreadPoolExecutor) -> Iterator[World]:
    world = World(tmp_path / "state" / "hel.sqlite", worker)
    yield world
    Bad.codes.clear()
    world.close()


CODES = [
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_READONLY,
]


@pytest.mark.parametrize("code", CODES)
def test_s_8_3_2_changes_that_fail_are_trouble_until_the_disk_takes_them(
    world: World, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    world.do(put("k", b"old"))
    for _ in range(5):
        Bad.codes.append(code)
        with pytest.raises(IoError):
            world.do(put("k", b"new"))
    assert world.database.trouble.startswith("changes of the database fail: disk I/O error")
    assert len(caplog.records) == 1
    assert world.do(get("k")) == b"old"
    assert world.database.trouble, "to read proves nothing"
    Bad.codes.append(code)
    assert world.mend(QUIET_S), "the probe fails as well"
    assert Bad.codes == []
    assert world.mend(QUIET_S / 2), "it is no time for another probe"
    assert world.mend(QUIET_S / 2) == ""
    assert len(caplog.records) == 1
    assert stored(world.path) == {b"k": b"old"}


def test_a_change_that_succeeds_later_ends_it_without_a_probe(world: World) -> None:
    world.do(put("k", b"0"))
    Bad.codes.append(sqlite3.SQLITE_IOERR_WRITE)
    with pytest.raises(IoError):
        world.do(put("k", b"1"))
    world.do(put("k", b"2"))
    assert world.database.trouble, "every other one may fail"
    world.clock.advance(QUIET_S)
    world.do(put("k", b"3"))
    assert world.database.trouble == ""


def test_the_probe_changes_nothing(world: World) -> None:
    world.do(put("k", b"old"))
    before = world.do(lambda c: "\n".join(c.iterdump()))
    version = world.do(lambda c: c.execute("PRAGMA user_version").fetchone())
    Bad.codes.append(sqlite3.SQLITE_IOERR_WRITE)
    with pytest.raises(IoError):
        world.do(put("k", b"new"))
    assert world.mend(QUIET_S) == ""
    assert world.do(lambda c: "\n".join(c.iterdump())) == before
    assert world.do(lambda c: c.execute("PRAGMA user_version").fetchone()) == version


def test_a_sync_that_fails_under_the_probe_is_no_less_than_one_under_a_change(world: World) -> None:
    world.do(put("k", b"old"))
    Bad.codes.extend([sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC])
    with pytest.raises(IoError):
        world.do(put("k", b"new"))
    assert "copied to a new file" in world.mend(QUIET_S)
    assert world.mend() == ""
    assert world.do(get("k")) == b"old"


def test_a_disk_that_stays_full_is_trouble_while_what_needs_no_room_succeeds(world: World) -> None:
    world.do(put("k", b"old"))
    world.disk.free = 0
    with pytest.raises(IoError, match="full"):
        world.do(put("large", bytes(100_000)))
    assert "full" in world.database.trouble
    assert world.mend(QUIET_S)
    world.clock.advance(QUIET_S)
    world.do(lambda c: keyvalue.remove(c, "tool", "k"))
    assert "full" in world.database.trouble
    world.disk.free = None
    assert world.mend(QUIET_S) == ""


def test_one_change_that_is_too_large_is_no_trouble(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.disk.free = LOW_BYTES // 2
    for _ in range(3):
        with pytest.raises(IoError, match="full"):
            world.do(put("large", bytes(LOW_BYTES)))
    assert world.database.trouble == ""
    assert [record.levelname for record in caplog.records].count("ERROR") == 1
    assert world.mend(QUIET_S) == ""


def test_a_disk_that_is_full_at_the_start_is_trouble(world: World) -> None:
    world.close()
    world.disk.free = 0
    world.database = world.open()
    assert world.do(get("k")) is None
    assert "the disk is full" in world.database.trouble
    world.disk.free = None
    assert world.mend(QUIET_S) == ""


def test_what_is_read_only_from_the_start_can_be_read(world: World) -> None:
    world.do(put("k", b"old"))
    world.close()
    mode = ["ro"]
    world.database = world.open(
        lambda path: sqlite3.connect(f"{path.as_uri()}?mode={mode[0]}", uri=True)
    )
    assert world.do(get("k")) == b"old"
    with pytest.raises(IoError, match="readonly"):
        world.do(put("k", b"new"))
    assert world.do(get("k")) == b"old"
    assert "readonly" in world.database.trouble
    mode[0] = "rw"
    assert world.mend(QUIET_S), "it is open as it was"
    assert world.mend(QUIET_S) == ""
    world.do(put("k", b"new"))
    assert stored(world.path) == {b"k": b"new"}
