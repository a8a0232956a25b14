"""Ten thousand executions leave what a few hundred leave: no process, descriptor or memory more."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

WARM, MANY = 500, 10_000
MOST_GROWTH = 1.05
LATE_LANES = 4  # Ends of those that the spare runner opens when it is first needed.
CONFIG = """
script_storage_path = "scripts"
[queue]
runners = 1
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


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


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


def test_s_11_2_1_many_executions_leave_nothing_behind() -> None:
    with LokiServer(config=CONFIG, tools=TOOLS) as server, server.client() as client:
        (server.folder / "scripts").mkdir(exist_ok=True)
        (server.folder / "scripts" / "m.lua").write_text(MODULE)
        execute(client, WARM)
        pids, open_files = server.pids(), total(descriptors, server)
        memory = total(memory_kb, server)
        execute(client, MANY)
        assert server.pids() == pids
        assert total(descriptors, server) - open_files in (0, LATE_LANES)
        assert total(memory_kb, server) < memory * MOST_GROWTH
