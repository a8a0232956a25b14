"""Scripts that call a child which is down: told at once, or patient if their tool asks for it."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from tests.e2e.census import pid_of

READ = "return fenrir:sensor_read('t1')"
TOOLS = f"""
[[tools]]
name = "hasty"
return_type = "number"
script = {{ inline = "{READ}" }}
permissions = {{ sensors = ["*"] }}

[[tools]]
name = "patient"
return_type = "number"
script = {{ inline = "loki.log('warning', 'begun') {READ}" }}
permissions = {{ sensors = ["*"] }}
wait_for_child_ms = 30000
limits = {{ max_execution_time_ms = 60000 }}

[[tools]]
name = "half_patient"
return_type = "number"
script = {{ inline = "{READ}" }}
permissions = {{ sensors = ["*"] }}
wait_for_child_ms = 200

[[tools]]
name = "out_of_time"
return_type = "number"
script = {{ inline = "{READ}" }}
permissions = {{ sensors = ["*"] }}
wait_for_child_ms = 4000
limits = {{ max_execution_time_ms = 200 }}

[[tools]]
name = "calm"
return_type = "string"
script = {{ inline = \"\"\"
local ok, problem = pcall(function() {READ} end)
return ok and 'there' or problem.code .. ' ' .. problem.child\"\"\" }}
permissions = {{ sensors = ["*"] }}

[[tools]]
name = "unconcerned"
return_type = "integer"
script = {{ inline = "return 1" }}
"""
PATIENCE_S = 30.0
AT_ONCE_S = 0.5  # Half of what a request inside Loki waits for a part that restarts.


@pytest.fixture
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


@contextmanager
def down(server: LokiServer, child: str) -> Iterator[Callable[[], None]]:
    """A child is dead, and nobody restarts it until the end, or until that is called."""
    root, pid = pid_of(server, "loki"), pid_of(server, child)
    os.kill(root, signal.SIGSTOP)
    try:
        pidfd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)
        yield lambda: os.kill(root, signal.SIGCONT)
    finally:
        os.kill(root, signal.SIGCONT)


def refused(client: LokiClient, name: str) -> tuple[LokiClientError, float]:
    """What the caller is told, and after how many seconds."""
    began_s = time.monotonic()
    with pytest.raises(LokiClientError) as caught:
        client.execute(name)
    return caught.value, time.monotonic() - began_s


def test_a_script_that_needs_a_child_that_is_down_is_told_at_once(
    server: LokiServer, client: LokiClient
) -> None:
    client.execute("hasty")  # Its runner has a lane to the child that will be dead.
    with down(server, "fenrir"):
        times_s = []
        for _ in range(5):
            error, took_s = refused(client, "hasty")
            assert (error.code_name, error.reason) == ("UNAVAILABLE", "CHILD_DOWN")
            assert error.retry_after_s is not None
            times_s.append(took_s)
        assert min(times_s) < AT_ONCE_S  # Whatever else the machine did meanwhile.
        assert "fenrir is down" in error.message
        assert error.details["child"] == "fenrir"
        assert client.execute("calm").value == "CHILD_DOWN fenrir"
        assert client.execute("unconcerned").value == 1


def test_a_patient_script_waits_for_it(server: LokiServer, client: LokiClient) -> None:
    with ThreadPoolExecutor(1) as pool, down(server, "fenrir") as release:
        begun = server.log.count("begun")
        call = pool.submit(client.execute, "patient")
        end_s = time.monotonic() + PATIENCE_S
        while server.log.count("begun") == begun:
            assert time.monotonic() < end_s, "it never began"
        assert not call.done()
        release()
        assert isinstance(call.result(PATIENCE_S).value, float)


def test_patience_ends_when_the_tool_says(server: LokiServer, client: LokiClient) -> None:
    with down(server, "fenrir"):
        error, took_s = refused(client, "half_patient")
    assert error.reason == "CHILD_DOWN"
    assert "wait_for_child_ms = 200" in error.message
    assert took_s >= 0.2


def test_patience_ends_with_the_time_of_the_run(server: LokiServer, client: LokiClient) -> None:
    with down(server, "fenrir"):
        error, _ = refused(client, "out_of_time")
    assert error.reason == "TIME_BUDGET"
