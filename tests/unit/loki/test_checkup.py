"""A state directory looked at from outside."""

import os
import subprocess
import sys
from pathlib import Path

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
