"""All stores on a disk of 2 MiB that they fill: clear refusals, nothing lost, and no end."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2, script_pb2
from tests.conftest import Need, ended

TOOLS = """
[[tools]]
name = "use"
return_type = "object"
parameters = [{ name = "verb", type = "string" }, { name = "n", type = "integer" }]
permissions = { storage = true, files = "rw", series = true }
limits = { max_execution_time_ms = 20000 }
script = { inline = \"\"\"
local n, verbs = params.n, {}
local function text(n, size) return (n .. ';'):rep(size // (#tostring(n) + 1)) end
function verbs.store() hel:storage_set('k' .. n, text(n, 20000)) end
function verbs.stored() return hel:storage_get('k' .. n) == text(n, 20000) end
function verbs.forget() hel:storage_remove('k' .. n) end
function verbs.write() hel:fs_write('f' .. n, text(n, 50000)) end
function verbs.written() return hel:fs_read('f' .. n) == text(n, 50000) end
function verbs.delete() hel:fs_delete('f' .. n) end
function verbs.append()
  local values, times = {}, {}
  for i = 1, 1000 do values[i], times[i] = n * 1000 + i, 1700000000 + n * 1000 + i end
  hel:series_append_all('s', values, times)
end
function verbs.rows() return hel:series_aggregate('s', nil, nil, 'count')[1].count end
return { it = verbs[params.verb]() }\"\"\" }
"""
CONFIG = """
[children_config.hel]
series_chunk_rows = 1024
"""
PATIENCE_S = 20.0
BALLAST = 1000
MANY = 3000


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory, need: Need) -> Iterator[Path]:
    disk = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    need("mount", f"a disk of its own to fill: {done.stderr.strip()}", here=done.returncode == 0)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture(scope="module")
def server(small_disk: Path) -> Iterator[LokiServer]:
    with LokiServer(config=CONFIG, tools=TOOLS, state_dir=small_disk / "state") as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def ask(client: LokiClient, verb: str, n: int) -> object:
    done = client.execute("use", {"verb": verb, "n": n}, timeout_s=PATIENCE_S)
    assert isinstance(done.value, dict)
    return done.value.get("it")


def free(client: LokiClient, verb: str, count: int) -> None:
    for n in range(count):
        ask(client, verb, n)


def register(client: LokiClient, n: int) -> None:
    client.register_script(
        script_pb2.ScriptDefinition(
            name=f"r{n}",
            source=f"return {n} --{'x' * 30000}",
            return_type=script_pb2.VALUE_TYPE_INTEGER,
        )
    )


def filled(act: Callable[[int], object]) -> tuple[int, LokiClientError]:
    """How many were acknowledged, and how the first that was not was refused."""
    for n in range(MANY):
        try:
            act(n)
        except LokiClientError as error:
            return n, error
    raise AssertionError("the disk is larger than it should be")


def everything_works(client: LokiClient) -> None:
    """There is room again."""
    for verb in ("write", "store", "append"):
        ask(client, verb, BALLAST)
    assert ask(client, "written", BALLAST) is ask(client, "stored", BALLAST) is True
    register(client, BALLAST)
    assert client.execute(f"r{BALLAST}").value == BALLAST
    client.unregister_script(f"r{BALLAST}")
    ask(client, "delete", BALLAST)
    ask(client, "forget", BALLAST)


@pytest.mark.parametrize(
    ("fill", "whole", "remove"),
    [("write", "written", "delete"), ("store", "stored", "forget")],
    ids=["files", "values"],
)
def test_what_filled_the_disk_makes_room_again_when_it_is_deleted(
    client: LokiClient, fill: str, whole: str, remove: str
) -> None:
    count, error = filled(lambda n: ask(client, fill, n))
    assert "full" in error.message
    assert count > 20
    assert all(ask(client, whole, n) for n in range(count))
    free(client, remove, count)
    everything_works(client)


class Grow(Protocol):
    def __call__(self) -> None:
        """Give the disk another MiB."""


@pytest.fixture(scope="module")
def grow(small_disk: Path) -> Grow:
    sizes = itertools.count(3)

    def grow() -> None:
        options = f"remount,size={next(sizes)}m"
        subprocess.run(["mount", "-o", options, str(small_disk)], check=True)

    return grow


def test_scripts_that_filled_the_disk_are_all_there(client: LokiClient, grow: Grow) -> None:
    """Their past stays, also of those that are removed."""
    count, error = filled(lambda n: register(client, n))
    assert "full" in error.message
    assert count > 5
    assert [client.execute(f"r{n}").value for n in range(count)] == list(range(count))
    client.unregister_script("r0")
    grow()
    everything_works(client)


def test_rows_that_filled_the_disk_are_all_there(client: LokiClient, grow: Grow) -> None:
    before = ask(client, "rows", 0)
    assert isinstance(before, int)
    count, error = filled(lambda n: ask(client, "append", n))
    assert "full" in error.message
    assert ask(client, "rows", 0) == before + count * 1000
    grow()
    everything_works(client)


def hel(client: LokiClient) -> device_pb2.ChildServiceInfo:
    return next(c for c in client.get_children_status() if c.name == "hel")


def fill(disk: Path) -> Path:
    """By somebody else, to the last byte."""
    ballast = disk / "fill"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 512):
                pass
        except OSError:
            return ballast


def eventually(act: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            act()
        except (LokiClientError, AssertionError):
            if time.monotonic() > end_s:
                raise
        else:
            return


def test_hel_starts_again_on_a_full_disk(
    server: LokiServer, client: LokiClient, small_disk: Path
) -> None:
    """What is there is read, also from the database."""
    ask(client, "write", 7)
    ask(client, "store", 7)
    before = hel(client)
    ballast = fill(small_disk)
    os.kill(before.pid, signal.SIGKILL)
    assert ended(before.pid, PATIENCE_S)
    eventually(lambda: ask(client, "written", 7))
    assert ask(client, "stored", 7) is True
    ballast.unlink()
    everything_works(client)
    eventually(lambda: is_up(client))
    assert hel(client).restarts == before.restarts + 1


def test_loki_starts_on_a_full_disk_and_takes_up_its_stores_when_there_is_room(
    server: LokiServer, small_disk: Path
) -> None:
    ballast = fill(small_disk)
    server.stop()
    with ballast.open("ab", buffering=0) as file, suppress(OSError):  # What the stop gave back.
        while file.write(b"x" * 512):
            pass
    server.start()
    with server.client() as client:
        assert ask(client, "written", 7) is True
        ballast.unlink()
        eventually(lambda: everything_works(client))
        assert ask(client, "stored", 7) is True
        eventually(lambda: is_up(client))
    assert "Traceback" not in server.log


def is_up(client: LokiClient) -> None:
    assert hel(client).state == device_pb2.CHILD_STATE_UP
