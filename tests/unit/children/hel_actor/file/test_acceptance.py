"""Scripts' files that a disk or their modes let nobody use: trouble that ends by itself."""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hel_actor.file.acceptance import Acceptance
from hel_actor.file.jail import Jail
from hel_actor.refusal import QUIET_S

from loki.clock import FakeClock
from loki.errors import IoError
from tests.unit.children.hel_actor.failing import FailingSyscalls

LOG = logging.getLogger("test.acceptance")
T = TypeVar("T")


class Wobbly(FailingSyscalls):
    """Fails with `code` while that is set."""

    code = 0

    def do(self, act: Callable[[], T], half: Callable[[], object] = lambda: None) -> T:
        if self.code:
            raise OSError(self.code, os.strerror(self.code))
        return act()


class World:
    """A jail, and what is told of it."""

    def __init__(self, folder: Path) -> None:
        self.syscalls = Wobbly(0)
        self.jail = Jail(folder, 1_000_000, syscalls=self.syscalls)
        self.clock = FakeClock()
        self.acceptance = Acceptance(self.jail, self.clock, LOG)

    def write(self, name: str = "tool") -> None:
        with self.acceptance.changing(name):
            self.jail.write(name, "f", b"content")

    def read(self, path: str = "f") -> bytes:
        with self.acceptance.reading("tool"):
            return self.jail.read("tool", path)

    def look(self, after_s: float = QUIET_S) -> str:
        self.clock.advance(after_s)
        self.acceptance.look()
        return self.acceptance.trouble


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "files")
    world.write()
    yield world
    world.jail.close()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EIO, errno.EACCES, errno.EFBIG])
def test_changes_that_fail_are_trouble_until_a_probe_succeeds(
    world: World, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    world.syscalls.code = code
    for _ in range(5):
        with pytest.raises(IoError):
            world.write()
    assert world.acceptance.trouble.startswith(f"files of tool fail: {os.strerror(code)}")
    assert world.look()
    world.syscalls.code = 0
    assert world.look(QUIET_S / 2), "it is no time for another probe"
    assert len(caplog.records) == 1
    assert world.look(QUIET_S / 2) == ""
    assert world.read() == b"content"


def test_what_cannot_be_read_is_trouble_too(world: World) -> None:
    world.syscalls.code = errno.EIO
    with pytest.raises(IoError):
        world.read()
    assert "Input/output error" in world.acceptance.trouble
    world.syscalls.code = 0
    world.clock.advance(QUIET_S)
    world.write("another")
    assert world.acceptance.trouble, "the folder of another script may be sound"
    world.write()
    assert world.acceptance.trouble == ""


def test_what_a_script_asks_wrongly_is_no_trouble(world: World) -> None:
    for path in ("nowhere", ".", "../f", "f/below"):
        with pytest.raises(IoError):
            world.read(path)
    assert world.acceptance.trouble == ""
    assert world.look() == ""


def test_a_full_disk_is_trouble_where_nothing_else_fits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10**6]
    monkeypatch.setattr(world.jail, "free_bytes", lambda: free[0])
    world.syscalls.code = errno.ENOSPC
    with pytest.raises(IoError, match="the disk is full"):
        world.write()
    assert world.acceptance.trouble == "", "it may have been too large"
    free[0] = 0
    with pytest.raises(IoError, match="the disk is full"):
        world.write()
    assert "the disk is full" in world.acceptance.trouble
    world.syscalls.code = 0
    assert world.look(), "what needs no room succeeds all the while"
    free[0] = 10**6
    assert world.look() == ""


def test_a_probe_leaves_nothing(world: World, tmp_path: Path) -> None:
    world.jail.probe("tool")
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert found == ["files", "files/.unfinished", "files/tool", "files/tool/f"]


def test_a_folder_that_may_not_be_changed_fails_the_probe(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(IoError, match="Permission denied"):
        world.jail.probe("tool")
