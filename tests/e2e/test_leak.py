"""Ten thousand executions leave what a few hundred leave: no process, descriptor or memory more."""

import os
import select
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from tests.e2e.census import descriptors, pids_of, stale_sockets

WARM, MANY = 500, 10_000
MOST_GROWTH = 1.05
PATIENCE_S = 30.0
CONFIG = """
script_storage_path = "scripts"
[queue]
runners = 1
max_runners = 1  # One and its spare, and no third however busy the device is.
"""
TOOLS = """
[[tools]]
name = "work"
return_type = "array"
script = { inline = "local m = require 'm' print('x') return m.list(20)" }
[[tools]]
name = "fails"
return_type = "array"
script = { inline = "local t = {} return t.a.b" }
"""
MODULE = (
    "return { list = function(n) local t = {} for i = 1, n do t[i] = {i = i} end return t end }"
)


def memory_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def total(figure: Callable[[int], int], server: LokiServer) -> int:
    return sum(map(figure, server.pids()))


def execute(client: LokiClient, times: int) -> None:
    for _ in range(times // 4):
        for _ in range(2):
            assert len(client.execute("work").value) == 20
        assert client.execute(source="return 1").value == 1
        with pytest.raises(LokiClientError, match="attempt to index a nil value"):
            client.execute("fails")


def spare_has_worked(server: LokiServer, client: LokiClient) -> bool:
    """So that it has opened its lanes too, which it does only when it is needed."""
    with ThreadPoolExecutor(2) as callers:
        list(callers.map(lambda _: client.execute("work"), range(2)))
    runners = pids_of(server, "runner")
    return len(runners) == 2 and len({descriptors(pid) for pid in runners}) == 1


@pytest.mark.timeout(600)
def test_s_11_2_1_many_executions_leave_nothing_behind() -> None:
    with LokiServer(config=CONFIG, tools=TOOLS) as server, server.client() as client:
        (server.folder / "scripts").mkdir(exist_ok=True)
        (server.folder / "scripts" / "m.lua").write_text(MODULE)
        execute(client, WARM)
        assert reached(lambda: spare_has_worked(server, client))
        pids, open_files = server.pids(), total(descriptors, server)
        memory = total(memory_kb, server)
        execute(client, MANY)
        assert server.pids() == pids
        assert reached(lambda: total(descriptors, server) <= open_files)
        assert total(memory_kb, server) < memory * MOST_GROWTH


def kill(client: LokiClient, pid: int) -> None:
    """And call until the one whom everybody needs is there again."""
    with suppress(ProcessLookupError):  # A runner may go with the dispatcher that was killed.
        pidfd = os.pidfd_open(pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)
    assert reached(lambda: serves(client))


def serves(client: LokiClient) -> bool:
    try:
        return client.execute(source="return 1").value == 1
    except LokiClientError as error:
        if error.code_name != "UNAVAILABLE":
            raise
        return False


def reached(condition: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end_s:
            return False
    return True


def test_the_dead_leave_no_descriptor_and_no_socket() -> None:
    with LokiServer(environment={"LOKI_SUPERVISION__INTENSITY": "1000"}) as server:
        (root,) = pids_of(server, "loki")
        with server.client() as client:
            kill(client, *pids_of(server, "dispatcher"))
            before = descriptors(root)
            for _ in range(5):
                for runner in pids_of(server, "runner"):  # Their successors have other names.
                    kill(client, runner)
                kill(client, *pids_of(server, "dispatcher"))
                assert reached(lambda: not stale_sockets(server)), stale_sockets(server)
            assert reached(lambda: descriptors(root) <= before), descriptors(root) - before
