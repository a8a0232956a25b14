"""Every kind of process is killed in turn: callers get an answer, and Loki goes on."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.errors import ServiceUnavailable
from loki.testing import LokiServer
from tests.e2e.census import PARTS, own_name_of, pids_of

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "napper"
return_type = "integer"
script = { inline = "loki.emit('asleep') loki.sleep(60000) return 1" }
limits = { max_execution_time_ms = 90000 }

[[tools]]
name = "store"
return_type = "integer"
script = { inline = "hel:storage_set('k', 1) return hel:storage_get('k')" }
permissions = { storage = true }
limits = { max_execution_time_ms = 60000 }
wait_for_child_ms = 30000
"""
PATIENCE_S = 30.0


@pytest.fixture
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def served_again(call: Callable[[], object], excuses: tuple[str, ...]) -> bool:
    """Call until it works; meanwhile only these codes, which tell callers to try again."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            return call() == 1
        except LokiClientError as error:
            if error.code_name not in excuses:
                raise
    return False


def reached(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
    return True


def wait_for(fd: int) -> None:
    """Until the process behind a pidfd is gone."""
    assert select.select([fd], [], [], PATIENCE_S)[0]
    os.close(fd)


def kill(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(pidfd)


def test_a_run_whose_runner_is_killed_is_answered_and_the_next_works(
    server: LokiServer, client: LokiClient
) -> None:
    with client.stream("napper") as events:
        next(events)
        for pid in (p for n in range(1, 9) for p in pids_of(server, f"runner-{n}")):
            kill(pid)
        with pytest.raises(LokiClientError) as caught:
            list(events)
    assert (caught.value.code_name, caught.value.reason) == ("UNAVAILABLE", "RUNNER_CRASHED")
    assert client.execute("one").value == 1


@pytest.mark.parametrize("child", ["hel", "fenrir", "jormungandr"])
def test_s_3_1_3_a_killed_child_is_seen_and_comes_back(
    server: LokiServer, client: LokiClient, child: str
) -> None:
    before = next(c for c in client.get_children_status() if c.name == child)
    kill(before.pid)
    assert client.execute("store").value == 1

    def is_back() -> bool:
        after = next(c for c in client.get_children_status() if c.name == child)
        return after.restarts == before.restarts + 1 and after.pid not in (0, before.pid)

    assert reached(is_back)


@pytest.mark.parametrize("part", ["library", "dispatcher"])
def test_a_killed_part_comes_back_with_its_scripts(
    server: LokiServer, client: LokiClient, part: str
) -> None:
    (pid,) = pids_of(server, part)
    kill(pid)
    assert served_again(lambda: client.execute("one").value, ("UNAVAILABLE",))


def test_a_killed_gateway_comes_back_on_its_port(server: LokiServer, client: LokiClient) -> None:
    (pid,) = pids_of(server, "gateway")
    kill(pid)

    def call() -> object:
        with server.client() as fresh:
            return fresh.execute("one", timeout_s=5.0).value

    assert served_again(call, ("UNAVAILABLE", "DEADLINE_EXCEEDED"))


def test_nothing_outlives_the_starter_and_the_next_start_needs_no_repair(tmp_path: Path) -> None:
    state = tmp_path / "state"
    server = LokiServer(tools=TOOLS, state_dir=state)
    server.start()
    try:
        pids = sorted(server.pids())
        pidfds = [os.pidfd_open(pid) for pid in pids]
        os.kill(server.pid, signal.SIGKILL)
        for pidfd in pidfds:
            wait_for(pidfd)
    finally:
        server.stop()
    with LokiServer(tools=TOOLS, state_dir=state) as again, again.client() as client:
        assert client.execute("store").value == 1


def test_a_taken_port_is_one_clear_line(server: LokiServer) -> None:
    port = server.address.rpartition(":")[2]
    other = LokiServer(environment={"LOKI_GRPC_PORT": port})
    with pytest.raises(ServiceUnavailable) as caught:
        other.start()
    assert f"grpc_port = {port}" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "did not start in time" not in str(caught.value)


def test_every_process_is_there_for_a_reason(server: LokiServer) -> None:
    """Each process costs megabytes: Thespian's logger, which nobody writes to, is none of them."""

    def names() -> list[str]:
        """Without the runners, some of which may still be called as they were forked."""
        found = map(own_name_of, server.pids() - {server.pid})
        return sorted(name for name in found if name and not name.startswith("runner-"))

    assert reached(lambda: all(map(own_name_of, server.pids() - {server.pid})))
    assert names() == sorted(("admin", "loki", *PARTS))
