"""A state directory looked at from outside."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loki.checkup import look

HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "a+")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_what_there_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    facts = look(tmp_path)
    assert (facts.exists, facts.is_folder, facts.mode, facts.holder) == (True, True, 0o750, 0)
    assert facts.owner == facts.user == os.geteuid()
    assert facts.free_bytes > 0
    assert not facts.is_read_only
    (tmp_path / "file").touch()
    assert not look(tmp_path / "file").is_folder
    assert not look(tmp_path / "nowhere").exists


def test_who_holds_it_is_asked_without_taking_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert look(tmp_path).holder == holder.pid
        holder.communicate()
    assert look(tmp_path).holder == 0


def test_a_lock_that_may_only_be_read_is_asked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only file system, where root may not write either."""
    (tmp_path / "lock").touch()
    real = os.open

    def opened(path: Path, flags: int, *rest: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", opened)
    facts = look(tmp_path)
    assert (facts.holder, facts.is_read_only) == (0, True)


def test_a_read_only_file_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.statvfs(tmp_path)
    values = [*found[:8], found.f_flag | os.ST_RDONLY, found.f_namemax]
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
    assert look(tmp_path).is_read_only
