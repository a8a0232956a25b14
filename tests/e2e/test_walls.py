"""Runners as they are in production: walled in, and as useful as before."""

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2
from tests.e2e.census import pid_of

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "loop"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_execution_time_ms = 100 }

[[tools]]
name = "hog"
return_type = "void"
script = { inline = "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end" }
limits = { max_memory_mb = 256, max_execution_time_ms = 90000 }

[[tools]]
name = "store"
return_type = "integer"
script = { inline = "hel:storage_set('k', 1) return hel:storage_get('k')" }
permissions = { storage = true }
limits = { max_execution_time_ms = 60000 }

[[tools]]
name = "hour"
return_type = "string"
script = { inline = "return os.date('%H %Z', 0)" }
"""
PATIENCE_S = 30.0
SECRET = "a token that no script may see"


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    """With one warm runner and its spare, and no more of them however slow they are."""
    queue = {"LOKI_QUEUE__RUNNERS": "1", "LOKI_QUEUE__MAX_RUNNERS": "1"}
    environment = {"A_TOKEN": SECRET, "TZ": "Asia/Tokyo", **queue}
    with LokiServer(tools=TOOLS, environment=environment) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def runners(client: LokiClient) -> set[int]:
    """Both, as soon as they are up: one that was just forked has no walls yet."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        found = [each for each in client.get_children_status() if each.name.startswith("runner-")]
        up = {each.pid for each in found if each.state == device_pb2.CHILD_STATE_UP}
        if len(up) == len(found) == 2:
            return up
        assert time.monotonic() < end_s, found


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_status_names_every_wall(server: LokiServer, loki: Callable[..., CompletedProcess[str]]):
    (engine,) = json.loads(loki("status", "--json").stdout)["engines"]
    assert (engine["language"], engine["version"]) == ("lua", "5.4")
    walls = {wall["name"]: wall for wall in engine["walls"]}
    assert list(walls) == [
        "secrets",
        "descriptors",
        "root directory",
        "capabilities",
        "privileges",
        "landlock",
        "limits",
        "system calls",
    ]
    for name in ("secrets", "descriptors", "privileges", "limits"):  # Any Linux has these.
        assert walls[name]["active"], walls[name]
    shown = loki("status").stdout
    assert "walls around lua 5.4" in shown
    assert walls["secrets"]["detail"] in shown


def test_the_kernel_agrees(server: LokiServer, client: LokiClient) -> None:
    (engine,) = client.get_capabilities().engines
    up = {wall.name for wall in engine.walls if wall.active}
    for pid in runners(client):
        status = status_of(pid)
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapEff"], 16) == 0
        if "system calls" in up:
            assert (status["Seccomp"], status["Threads"]) == ("2", "2")
        if "root directory" in up:
            assert os.readlink(f"/proc/{pid}/root") == str(server.state_dir / "run")
        descriptors = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)}
        assert descriptors == {"/dev/null"}
        assert len(os.listdir(f"/proc/{pid}/fd")) <= 16
        assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_hundred_runs_in_the_same_process(client: LokiClient) -> None:
    before = runners(client)
    assert [client.execute("one").value for _ in range(100)] == [1] * 100
    assert runners(client) == before


def test_local_time_is_as_before(client: LokiClient) -> None:
    assert client.execute("hour").value == "09 JST"


def test_a_loop_meets_the_watchdog_and_a_hog_its_own_limit(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as loop:
        client.execute("loop")
    assert loop.value.reason == "TIME_BUDGET"
    with pytest.raises(LokiClientError) as hog:
        client.execute("hog", timeout_s=90)
    assert hog.value.reason == "MEMORY_BUDGET"
    assert client.execute("one").value == 1


def served_again(client: LokiClient) -> bool:
    """Call until it works; meanwhile callers are told to try again."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            return client.execute("store").value == 1
        except LokiClientError as error:
            if error.code_name != "UNAVAILABLE":
                raise
    return False


@pytest.mark.parametrize("victim", ["hel", "gateway"])
def test_a_runner_finds_whoever_was_restarted(
    server: LokiServer, client: LokiClient, victim: str
) -> None:
    assert client.execute("store").value == 1
    before = runners(client)
    pid = pid_of(server, victim)
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)
    assert served_again(client)
    assert runners(client) == before


def test_a_stranger_at_its_port_does_it_no_harm(client: LokiClient) -> None:
    assert client.execute("one").value == 1
    before = runners(client)
    for port in {port for pid in before for port in ports_of(pid)}:
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            with suppress(OSError):  # It may be closed already.
                stranger.sendall(b"x" * 100)
                stranger.shutdown(socket.SHUT_WR)
            assert select.select([stranger], [], [], PATIENCE_S)[0]  # It was closed, or refused.
    assert client.execute("one").value == 1
    assert runners(client) == before


def ports_of(pid: int) -> set[int]:
    """Where it listens. Source: proc(5), /proc/pid/net/tcp: state 0A, inode in column 10."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}").removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    ports = {
        int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes
    }
    assert ports, "a runner listens for nobody"
    return ports
