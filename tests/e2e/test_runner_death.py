"""A walled runner that the kernel ends or starves: callers hear why, and another takes over."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "napper"
return_type = "integer"
script = { inline = "loki.emit('asleep') loki.sleep(4000) return 1" }

[[tools]]
name = "hog"
return_type = "void"
script = { inline = "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end" }
limits = { max_memory_mb = 256, max_execution_time_ms = 20000 }
"""
ROOM_BYTES = 16 * 1024 * 1024


@pytest.fixture
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, environment={"LOKI_QUEUE__RUNNERS": "1"}) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def runners(server: LokiServer) -> set[int]:
    def name(pid: int) -> str:
        return Path(f"/proc/{pid}/comm").read_text()

    return {pid for pid in server.pids() if name(pid).startswith("loki:runner-")}


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
    server: LokiServer, client: LokiClient, sent: signal.Signals, reason: str
) -> None:
    before = runners(server)
    with client.stream("napper") as events:
        next(events)
        for pid in before:
            os.kill(pid, sent)
        with pytest.raises(LokiClientError) as caught:
            list(events)
    assert caught.value.reason == reason
    assert client.execute("one").value == 1
    assert not runners(server) & before


def test_memory_that_the_kernel_refuses_is_a_memory_budget(
    server: LokiServer, client: LokiClient
) -> None:
    for pid in runners(server):
        used = next(
            int(line.split()[1]) * 1024
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmData")
        )
        hard = resource.prlimit(pid, resource.RLIMIT_DATA)[1]
        resource.prlimit(pid, resource.RLIMIT_DATA, (used + ROOM_BYTES, hard))
    with pytest.raises(LokiClientError) as caught:
        client.execute("hog", timeout_s=30)
    assert caught.value.reason == "MEMORY_BUDGET"
    assert client.execute("one").value == 1
