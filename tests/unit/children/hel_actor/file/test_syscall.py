"""Files of scripts while each operation fails once: whole or not there, and never lost."""

import errno
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hel_actor.file.jail import UNFINISHED, Jail
from hel_actor.file.syscall import Kernel

from loki.errors import IoError
from tests.unit.children.hel_actor.failing import FailingSyscalls, Failure

Tree = dict[str, bytes | None]
"""Path -> content; None for a directory."""

BIG = bytes(range(256)) * 40


@dataclass(frozen=True)
class Step:
    """One call, and what it makes of the tree; `parts` are what it may leave if it fails."""

    act: Callable[[Jail], object]
    made: Callable[[Tree], Tree]
    parts: Callable[[Tree], list[Tree]] = lambda _: []


def without(tree: Tree, name: str) -> Tree:
    return {path: content for path, content in tree.items() if path != name}


STEPS = [
    Step(
        lambda jail: jail.create_directory("tool", "a/b"),
        lambda tree: tree | {"a": None, "a/b": None},
        lambda tree: [tree | {"a": None}],
    ),
    Step(lambda jail: jail.write("tool", "a/b/f", BIG), lambda tree: tree | {"a/b/f": BIG}),
    Step(lambda jail: jail.write("tool", "a/b/f", b"new"), lambda tree: tree | {"a/b/f": b"new"}),
    Step(
        lambda jail: jail.append("tool", "a/b/f", BIG),
        lambda tree: tree | {"a/b/f": (tree["a/b/f"] or b"") + BIG},
    ),
    Step(lambda jail: jail.append("tool", "g", b"one"), lambda tree: tree | {"g": b"one"}),
    Step(lambda jail: jail.delete("tool", "g"), lambda tree: without(tree, "g")),
    Step(lambda jail: jail.create_directory("tool", "d"), lambda tree: tree | {"d": None}),
    Step(lambda jail: jail.delete("tool", "d"), lambda tree: without(tree, "d")),
]


def found(home: Path) -> Tree:
    """What there is, read past the jail."""
    return {
        str(path.relative_to(home)): None if path.is_dir() else path.read_bytes()
        for path in sorted(home.rglob("*"))
    }


def take(step: Step, jail: Jail, home: Path, disk: FailingSyscalls) -> None:
    """A step that fails leaves all as it was, or as it was to be, and works the next time."""
    before = found(home)
    fired = disk.fired
    try:
        step.act(jail)
    except IoError:
        assert disk.fired
        assert not fired, "only one operation fails"
        now = found(home)
        assert now in [before, step.made(before), *step.parts(before)]
        if now != step.made(before):
            step.act(jail)
    assert found(home) == step.made(before)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("how", Failure)
def test_s_8_2_1_files_are_whole_whichever_operation_fails(
    tmp_path: Path, how: Failure, code: int
) -> None:
    """The n-th operation fails, for every n until none does."""
    n, disk = 0, FailingSyscalls(0)
    while disk.fired:
        n += 1
        disk, files = FailingSyscalls(n, how, code), tmp_path / str(n)
        (files / UNFINISHED).mkdir(parents=True)
        (files / UNFINISHED / "left").touch()
        with closing(Jail(files, 10 * len(BIG), syscalls=disk)) as jail:
            for step in STEPS:
                take(step, jail, files / "tool", disk)
        expected = {"a": None, "a/b": None, "a/b/f": b"new" + BIG}
        assert found(files / "tool") == expected, n
        with closing(Jail(files, 10 * len(BIG))) as again:
            assert again.read("tool", "a/b/f") == b"new" + BIG
        assert list((files / UNFINISHED).iterdir()) == []
    assert n > 35


def test_a_directory_that_was_not_synced_is_not_taken_for_durable(tmp_path: Path) -> None:
    """Made by a process that was killed then, or by a call whose fsync failed."""
    (tmp_path / "tool" / "a").mkdir(parents=True)
    synced: list[str] = []

    class Watched(Kernel):
        def sync(self, descriptor: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    with closing(Jail(tmp_path, 1000, syscalls=Watched())) as jail:
        jail.create_directory("tool", "a")
    assert {str(tmp_path), str(tmp_path / "tool")} <= set(synced)


def test_a_file_in_folders_that_were_not_synced_is_not_lost_with_them(tmp_path: Path) -> None:
    (tmp_path / "tool" / "a" / "b").mkdir(parents=True)
    synced: list[str] = []

    class Watched(Kernel):
        def sync(self, descriptor: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(str(tmp_path)))

    with closing(Jail(tmp_path, 1000, syscalls=Watched())) as jail:
        jail.write("tool", "g", b"")
        synced.clear()
        jail.write("tool", "a/b/f", b"")
        assert synced[:2] == ["/tool", "/tool/a"]
        synced.clear()
        jail.append("tool", "a/b/f", b"more")
        assert len(synced) == 2, "a file, and the folder that it is in"


def test_a_directory_whose_sync_failed_does_not_take_an_older_one_along(tmp_path: Path) -> None:
    with closing(Jail(tmp_path, 1000)) as jail:
        jail.create_directory("tool", "a")

    class Unsynced(Kernel):
        def sync(self, descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/tool"):
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    with closing(Jail(tmp_path, 1000, syscalls=Unsynced())) as jail:
        for path in ("a", "new"):
            with pytest.raises(IoError, match="Input/output error"):
                jail.create_directory("tool", path)
    assert found(tmp_path / "tool") == {"a": None}


@pytest.fixture
def largest_file() -> Iterator[Callable[[int], None]]:
    """Sets how large a file may get: beyond it the kernel writes short, then refuses."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_s_8_2_1_a_write_that_the_kernel_cuts_short_keeps_the_old_file(
    tmp_path: Path, largest_file: Callable[[int], None]
) -> None:
    """No double: the kernel itself writes 4096 bytes of it, and then refuses."""
    with closing(Jail(tmp_path, 10 * len(BIG))) as jail:
        jail.write("tool", "f", b"old")
        largest_file(4096)
        for act in (jail.write, jail.append):
            with pytest.raises(IoError, match="File too large"):
                act("tool", "f", BIG)
        assert found(tmp_path / "tool") == {"f": b"old"}
        assert list((tmp_path / UNFINISHED).iterdir()) == []
        largest_file(10**9)
        jail.append("tool", "f", BIG)
        assert jail.read("tool", "f") == b"old" + BIG


def test_s_8_2_1_files_work_again_after_somebody_removed_them(tmp_path: Path) -> None:
    with closing(Jail(tmp_path / "state" / "files", 1000)) as jail:
        jail.write("tool", "f", b"old")
        shutil.rmtree(tmp_path / "state")
        with pytest.raises(IoError, match="does not exist"):
            jail.read("tool", "f")
        jail.write("tool", "f", b"new")
        assert jail.read("tool", "f") == b"new"
    assert (tmp_path / "state" / "files" / "tool" / "f").read_bytes() == b"new"
