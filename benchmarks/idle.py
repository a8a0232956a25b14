"""What a Loki costs that nobody calls: heartbeats, timers, and whoever else wakes up."""

import time
from collections import defaultdict
from pathlib import Path

from benchmarks.footprint import call, name_of
from benchmarks.result import Figure
from loki.testing import LokiServer

IDLE_S = 30.0
SETTLE_S = 2.0  # What follows a start and the first calls is no idling.
TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }
"""


def run() -> list[Figure]:
    with LokiServer(tools=TOOLS) as loki:
        call(loki, 50)
        time.sleep(SETTLE_S)
        pids = loki.pids()
        names = {pid: name_of(pid).removeprefix("loki:") for pid in pids}
        cpu_s = {pid: cpu(pid) for pid in pids}
        wakes = {pid: switches(pid) for pid in pids}
        time.sleep(IDLE_S)
        assert loki.pids() == pids, "a process came or went"
        share = {pid: (cpu(pid) - cpu_s[pid]) / IDLE_S * 100 for pid in pids}
        rate = {pid: (switches(pid) - wakes[pid]) / IDLE_S for pid in pids}
    total = sum(share.values())
    return [
        Figure("idle, CPU of all processes", total, "% of a core", "below 1", total < 1,
               listed(share, names, 3)),
        Figure("idle, wake-ups of all processes", sum(rate.values()), "/s",
               note=listed(rate, names, 1)),
    ]  # fmt: skip


def cpu(pid: int) -> float:
    """Seconds that all threads have run. Source: proc(5), the first field of schedstat, in ns."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def switches(pid: int) -> int:
    """Context switches of all threads. Source: proc(5), /proc/pid/task/tid/status."""
    return sum(
        int(line.split()[1])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if "_ctxt_switches:" in line
    )


def listed(values: dict[int, float], names: dict[int, str], digits: int) -> str:
    """The most first; runners together."""
    sums: dict[str, float] = defaultdict(float)
    for pid, value in values.items():
        sums[names[pid].partition("-")[0]] += value
    ordered = sorted(sums.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in ordered)
