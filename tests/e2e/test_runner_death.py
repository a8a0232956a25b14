"""A walled runner that the kernel ends or starves: callers hear why, and another takes over."""

import os
import resource
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2

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
name = "hog"
return_type = "void"
script = { inline = "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end" }
limits = { max_memory_mb = 256, max_execution_time_ms = 90000 }
"""
ROOM_BYTES = 16 * 1024 * 1024
PATIENCE_S = 30.0


@pytest.fixture
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, environment={"LOKI_QUEUE__RUNNERS": "1"}) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def runners(client: LokiClient) -> set[int]:
    """The warm one and the spare, as soon as both are up."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        found = [each for each in client.get_children_status() if each.name.startswith("runner-")]
        up = {each.pid for each in found if each.state == device_pb2.CHILD_STATE_UP}
        if len(up) == len(found) == 2:
            return up
        assert time.monotonic() < end_s, found


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (signal.SIGXCPU, "CPU_BUDGET"),  # Past the process's own limit.
        (signal.SIGKILL, "RUNNER_CRASHED"),  # For want of memory, or by the filter of calls.
        (signal.SIGABRT, "RUNNER_CRASHED"),  # A panic of Lua.
        (signal.SIGSEGV, "RUNNER_CRASHED"),
    ],
)
def test_a_signal_of_the_kernel_is_told_and_another_runner_serves(
    client: LokiClient, sent: signal.Signals, reason: str
) -> None:
    pidfds = [os.pidfd_open(pid) for pid in runners(client)]
    with client.stream("napper") as events:
        next(events)
        for pidfd in pidfds:
            signal.pidfd_send_signal(pidfd, sent)
        with pytest.raises(LokiClientError) as caught:
            list(events)
    assert caught.value.reason == reason
    assert client.execute("one").value == 1
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)


def test_memory_that_the_kernel_refuses_is_a_memory_budget(client: LokiClient) -> None:
    for pid in runners(client):
        used = next(
            int(line.split()[1]) * 1024
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmData")
        )
        hard = resource.prlimit(pid, resource.RLIMIT_DATA)[1]
        resource.prlimit(pid, resource.RLIMIT_DATA, (used + ROOM_BYTES, hard))
    with pytest.raises(LokiClientError) as caught:
        client.execute("hog", timeout_s=90)
    assert caught.value.reason == "MEMORY_BUDGET"
    assert client.execute("one").value == 1
