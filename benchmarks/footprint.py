"""Cold start, idle memory, and growth over many runs."""

import os
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from statistics import median

import grpc

from benchmarks.result import Figure
from loki.testing import LokiServer
from loki.v1 import execution_pb2, service_pb2, service_pb2_grpc

STARTS = 5
RUNS = 10_000
TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }
"""


def run() -> list[Figure]:
    return [cold_start(), *memory_and_growth()]


def call(loki: LokiServer, count: int) -> None:
    with grpc.insecure_channel(loki.address) as channel:
        stub = service_pb2_grpc.LokiServiceStub(channel)
        for _ in range(count):
            stub.ExecuteScript(
                service_pb2.ExecuteScriptRequest(input=execution_pb2.ScriptInput(name="one"))
            )


def cold_start() -> Figure:
    """From the start of the process to the first answer of a script."""
    times_ms = []
    for _ in range(STARTS):
        begin = time.perf_counter()
        with LokiServer(tools=TOOLS) as loki:
            call(loki, 1)
            times_ms.append((time.perf_counter() - begin) * 1000)
    bare = min(interpreter_ms() for _ in range(3))
    value = median(times_ms)
    note = f"a bare interpreter: {bare:.0f} ms"
    return Figure("cold start to the first answer", value, "ms", "at most 600", value <= 600, note)


def interpreter_ms() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return (time.perf_counter() - begin) * 1000


def pss_mib(pid: int) -> float:
    """Source: proc(5), /proc/pid/smaps_rollup."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def descriptors(pids: Collection[int]) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def memory_and_growth() -> list[Figure]:
    with LokiServer(tools=TOOLS) as loki:
        call(loki, 200)
        pids = loki.pids()
        before = {pid: pss_mib(pid) for pid in pids}
        fds = descriptors(pids)
        each = ", ".join(f"{name_of(pid)} {mib:.1f}" for pid, mib in before.items())
        total = sum(before.values())
        call(loki, RUNS)
        after = loki.pids()
        grown = sum(pss_mib(pid) for pid in after) / total * 100 - 100
        counts = f"processes {len(pids)} -> {len(after)}, descriptors {fds} -> {descriptors(after)}"
        return [
            Figure("idle memory, PSS of all", total, "MiB", "at most 102", total <= 102, each),
            Figure("growth over 10,000 runs", grown, "%", "below 5", grown < 5, counts),
        ]
