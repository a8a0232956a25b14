"""A hostile process that renames as fast as it can, and a jail that nothing leads out of.

`LOKI_RENAMES` sets how many times it renames.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hel_actor.file import resolver
from hel_actor.file.jail import Jail
from hel_actor.file.resolver import Resolver

from loki.errors import IoError

RENAMES = int(os.environ.get("LOKI_RENAMES", "100000"))
MEETINGS = 20
RENAMER = """
import ctypes, os, sys
from hel_actor.storage import AT_FDCWD, RENAME_EXCHANGE
os.chdir(sys.argv[1])
exchange = ctypes.CDLL(None, use_errno=True).renameat2
for _ in range(int(sys.argv[2])):
    if exchange(AT_FDCWD, b"d", AT_FDCWD, b"link", RENAME_EXCHANGE):
        sys.exit(os.strerror(ctypes.get_errno()))
"""


@pytest.mark.parametrize("way", [resolver.open_beneath, resolver.walk])
def test_s_8_2_3_100000_renames_and_not_one_escape(tmp_path: Path, way: Resolver) -> None:
    """`d` is a folder of the script and, every other moment, a link to one outside."""
    outside, files = tmp_path / "outside", tmp_path / "files"
    (outside / "tree" / "kept").mkdir(parents=True)
    (outside / "secret").write_bytes(b"outside")
    jail = Jail(files, 1000, way)
    jail.create_directory("tool", "d")
    jail.write("tool", "d/secret", b"inside")
    (files / "tool" / "link").symlink_to(outside)
    outcomes = Counter[bool]()

    def attempt(act: Callable[[], None]) -> None:
        try:
            act()
        except IoError:
            outcomes[False] += 1
        else:
            outcomes[True] += 1

    def read() -> None:
        assert jail.read("tool", "d/secret") == b"inside"

    def meet_the_renamer() -> None:
        with subprocess.Popen(
            [sys.executable, "-c", RENAMER, str(files / "tool"), str(RENAMES)]
        ) as renamer:
            while renamer.poll() is None:
                attempt(read)
                attempt(lambda: jail.write("tool", "d/new", b"x"))
                attempt(lambda: jail.create_directory("tool", "d/tree"))
                attempt(lambda: jail.delete("tool", "d/tree", recursive=True))
                attempt(lambda: jail.delete("tool", "d/new"))
                attempt(lambda: assert_inside(jail))
        assert renamer.returncode == 0

    for _ in range(MEETINGS):  # One is enough unless the machine is busy elsewhere.
        meet_the_renamer()
        if both_happened := min(outcomes[True], outcomes[False]) > 100:
            break
    assert both_happened, outcomes
    assert sorted(each.name for each in outside.rglob("*")) == ["kept", "secret", "tree"]
    assert (outside / "secret").read_bytes() == b"outside"
    jail.close()


def assert_inside(jail: Jail) -> None:
    assert "kept" not in jail.list_directory("tool", "d")
    assert set(jail.list_directory("tool", "d")) <= {"secret", "new", "tree"}
