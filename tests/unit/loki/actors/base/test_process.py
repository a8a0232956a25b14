"""A process's name, and what its forks share; each in a process of its own, for both last."""

import os
import subprocess
import sys

from loki.actors.base.process import cpu_use

FORK = """
import gc, os
from loki.actors.base.process import share_memory
share_memory()
if not os.fork():
    os._exit(min(1, gc.get_freeze_count()))
frozen_in_child = os.waitstatus_to_exitcode(os.wait()[1])
print(gc.get_freeze_count(), frozen_in_child)
"""
NAMED = """
from loki.actors.base.process import name_process
name_process("a-name-that-is-too-long")
print(open("/proc/self/comm").read().strip())
"""


def printed(script: str) -> str:
    return subprocess.check_output([sys.executable, "-c", script], text=True).strip()


def test_the_collector_leaves_alone_what_a_fork_inherited() -> None:
    assert printed(FORK) == "0 1"


def test_a_process_is_named_in_as_many_bytes_as_the_kernel_keeps() -> None:
    assert printed(NAMED) == "loki:a-name-tha"


def test_work_shows_in_the_time_that_a_process_has_used() -> None:
    before = cpu_use(os.getpid())[1]
    while cpu_use(os.getpid())[1] == before:
        pass
    assert cpu_use(os.getpid())[0]


def test_one_that_waits_uses_no_time_and_one_that_is_gone_is_told_as_such() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as waits:
        while cpu_use(waits.pid)[0]:
            pass
        waits.kill()
    assert cpu_use(waits.pid) == (False, 0)
