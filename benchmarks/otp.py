"""The peer of recovery: an Erlang/OTP supervisor over an OS process, where `erl` is installed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.result import Figure, percentile

KILLS = 30
SCRIPT = Path(__file__).with_suffix(".escript")
ECHOES = {
    "cat": ("cat",),
    "a Python that echoes": (
        sys.executable,
        "-c",
        "import sys\nfor line in sys.stdin: print(line, end='', flush=True)",
    ),
}


def run() -> list[Figure]:
    if shutil.which("escript") is None:
        note = "skipped: no escript here; Debian's erlang-base has it"
        return [Figure("Erlang/OTP over a killed OS process, p50", float("nan"), "ms", note=note)]
    return [_figure(name, _recoveries_ms(command)) for name, command in ECHOES.items()]


def _figure(name: str, times_ms: list[float]) -> Figure:
    return Figure(
        f"Erlang/OTP over {name}, SIGKILL, p50", median(times_ms), "ms",
        note=f"p99 {percentile(times_ms, 99):.1f} ms, {len(times_ms)} kills",
    )  # fmt: skip


def _recoveries_ms(command: Sequence[str]) -> list[float]:
    """From SIGKILL of the OS process to its successor's first answer."""
    peer = ("escript", str(SCRIPT), *command)
    with subprocess.Popen(peer, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as erl:
        assert erl.stdin is not None
        assert erl.stdout is not None
        pid = int(erl.stdout.readline())
        times_ms = []
        for _ in range(KILLS):
            begin = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            while (answered := _answer(erl)) == pid:
                pass  # It was killed after its answer.
            times_ms.append((time.perf_counter() - begin) * 1000)
            pid = answered
        erl.stdin.close()
    return times_ms


def _answer(erl: "subprocess.Popen[str]") -> int:
    assert erl.stdin is not None
    assert erl.stdout is not None
    erl.stdin.write("\n")
    erl.stdin.flush()
    return int(erl.stdout.readline())
