"""What files take, after changes that succeed, that are refused, and that fail half-way."""

import logging
import os
import shutil
from pathlib import Path

import pytest
from hel_actor.file import occupancy
from hel_actor.file.jail import Jail
from hel_actor.file.occupancy import Occupancy
from hel_actor.quota.ledger import Ledger, Part
from hel_actor.quota.quota import Account

from loki.errors import IoError, LokiError

LOG = logging.getLogger("test.occupancy")
TOOL = Account("tool", "tool", 1, "quota_mb")
BLOCK = 4096


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jail = Jail(folder, 2**21)
        self.ledger = Ledger()
        self.ledger.load(Part.DATABASE, {})
        self.occupancy = Occupancy(self.jail, self.ledger, LOG)

    def write(self, path: str, size_bytes: int) -> None:
        with self.occupancy.changing(TOOL) as room:
            self.jail.write("tool", path, b"x" * size_bytes, room)

    def make(self, path: str) -> None:
        with self.occupancy.changing(TOOL) as room:
            self.jail.create_directory("tool", path, room)

    def count(self, namespace: str) -> int:
        """In how many steps."""
        return 1 + sum(1 for _ in self.occupancy.counting(namespace))

    @property
    def used(self) -> int:
        return self.ledger.used_bytes("tool")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "files")


def test_files_and_folders_are_counted_now_and_at_the_next_start(
    world: World, tmp_path: Path
) -> None:
    world.make("a/b")
    world.make("a/b")
    world.write("a/b/f", BLOCK + 1)
    world.write("a/b/f", 5)
    assert world.used == 3 * BLOCK
    (tmp_path / "files" / ".unfinished" / "left-by-a-kill").write_bytes(b"x" * 10_000)
    again = World(tmp_path / "files")
    again.count("tool")
    assert again.used == 3 * BLOCK
    assert not (tmp_path / "files" / ".unfinished" / "left-by-a-kill").exists()


def test_a_path_of_which_a_part_is_refused_counts_what_was_made(world: World) -> None:
    world.write("big", 2**20 - BLOCK)
    with pytest.raises(LokiError, match="asks for 4096 more"):
        world.make("a/b")
    assert world.used == 2**20
    assert world.jail.list_directory("tool", "a") == ()


def test_a_write_that_the_disk_refuses_counts_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("f", 10)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", full)
        with pytest.raises(IoError):
            world.write("f", 50_000)
    assert world.used == BLOCK


def test_a_write_that_was_made_and_not_acknowledged_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("f", 10)
    real, calls = os.fsync, iter(range(10))

    def second_fails(descriptor: int) -> None:
        if next(calls):
            raise OSError(5, "Input/output error")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", second_fails)
        with pytest.raises(IoError):
            world.write("f", 50_000)
    assert world.used == 13 * BLOCK


def test_files_that_cannot_be_counted_count_when_they_can(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("f", 10)

    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", broken)
        patched.setattr(Jail, "taken", broken)
        with pytest.raises(IoError):
            world.write("f", 50_000)
    assert "cannot be counted for now" in caplog.text
    world.write("g", 1)
    assert world.used == 2 * BLOCK


def test_files_that_a_person_removed_count_no_longer(world: World, tmp_path: Path) -> None:
    world.write("f", 500_000)
    shutil.rmtree(tmp_path / "files")
    world.write("g", 10)
    assert world.used == BLOCK


def test_a_jail_that_cannot_be_opened_says_so_and_is_counted_when_it_can(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "files").write_bytes(b"in the way")
    with pytest.raises(IoError):
        world.write("f", 10)
    assert world.used == 0
    (tmp_path / "files").unlink()
    world.write("f", 10)
    world.write("g", 10)
    assert world.used == 2 * BLOCK


def test_only_who_is_asked_for_is_counted_and_nothing_made(world: World, tmp_path: Path) -> None:
    world.write("f", 10)
    again = World(tmp_path / "files")
    again.count("new")
    assert [again.occupancy.is_counted(each) for each in ("new", "tool")] == [True, False]
    assert not (tmp_path / "files" / "new").exists()


def test_many_files_are_counted_in_steps(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "files" / "tool" / "a"
    folder.mkdir(parents=True)
    for number in range(2500):
        (folder / f"{number}").write_bytes(b"x")
    assert world.count("tool") == 3
    assert world.used == 2501 * BLOCK


def test_what_is_counted_twice_at_once_stays_as_it_became(world: World) -> None:
    world.make("a")
    again = World(world.folder)
    slow = again.occupancy.counting("tool")
    again.count("tool")
    again.write("f", 10)
    assert list(slow) == []
    assert again.used == 2 * BLOCK


def test_a_directory_that_is_another_by_the_end_is_counted_when_it_changes(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("f", 500_000)
    again = World(tmp_path / "files")
    monkeypatch.setattr(occupancy, "AT_ONCE", 1)
    steps = again.occupancy.counting("tool")
    next(steps)
    shutil.rmtree(tmp_path / "files")
    again.count("another")
    assert list(steps) == []
    assert again.occupancy.is_counted("tool")
    assert again.used == 0
    again.write("g", 10)
    assert again.used == BLOCK


def test_files_that_cannot_be_looked_at_count_nothing_until_they_change(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.write("f", 10)
    again = World(world.folder)
    with monkeypatch.context() as patched:
        patched.setattr(Jail, "taken", lambda *_: (_ for _ in ()).throw(OSError(5, "broken")))
        again.count("tool")
    assert "cannot be counted for now" in caplog.text
    assert again.occupancy.is_counted("tool")
    again.write("g", 1)
    assert again.used == 2 * BLOCK
