"""A state directory on a full disk: what does not need it goes on, and no start or stop fails."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from loki.client import LokiClientError
from loki.testing import LokiServer
from tests.conftest import Need, ended
from tests.e2e.census import pid_of

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "store"
return_type = "void"
script = { inline = "hel:storage_set('k', ('x'):rep(50000))" }
permissions = { storage = true }
"""
WITHIN_S = 30.0


@pytest.fixture
def small_disk(tmp_path: Path, need: Need) -> Iterator[Path]:
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    need("mount", f"a disk of its own to fill: {done.stderr.strip()}", here=done.returncode == 0)
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill(disk: Path) -> None:
    with (disk / "fill").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_a_full_disk_stops_neither_calls_nor_restarts_nor_the_end(small_disk: Path) -> None:
    with LokiServer(tools=TOOLS, state_dir=small_disk / "state") as server:
        root = pid_of(server, "loki")
        with server.client() as client:
            assert client.execute("one").value == 1
            fill(small_disk)
            with pytest.raises(LokiClientError, match=r"changed nothing: .*full"):
                client.execute("store")
            assert client.execute("one").value == 1
        os.kill(root, signal.SIGKILL)
        assert ended(root, WITHIN_S)
        assert served_again(server)
        (small_disk / "fill").unlink()
        with server.client() as client:
            client.execute("store")
        log = server.log
    assert "Traceback" not in log
    assert log.count("processes.json cannot be written") in (1, 2)  # By each root at most once.


def test_what_scripts_store_is_for_their_user_alone(tmp_path: Path) -> None:
    with LokiServer(tools=TOOLS, state_dir=tmp_path / "state") as server, server.client() as client:
        client.execute("store")
        modes = modes_below(tmp_path / "state")
    assert modes["hel.sqlite"] == 0
    assert set(modes.values()) == {0}


def modes_below(folder: Path) -> dict[str, int]:
    """What others may do with each; what goes away under the look is let go."""
    modes: dict[str, int] = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            modes[path.name] = path.stat().st_mode & 0o077
    return modes


def served_again(server: LokiServer) -> bool:
    end_s = time.monotonic() + WITHIN_S
    while time.monotonic() < end_s:
        try:
            with server.client() as client:
                return client.execute("one", timeout_s=5.0).value == 1
        except LokiClientError as error:
            if error.code_name not in ("UNAVAILABLE", "NOT_FOUND", "DEADLINE_EXCEEDED"):
                raise
    return False
