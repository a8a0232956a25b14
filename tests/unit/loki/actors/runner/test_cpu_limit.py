"""The limit of CPU time, in a process of its own."""

import signal
import subprocess
import sys

SET = """
import resource
from loki.actors.runner.cpu_limit import CpuLimit
limit = CpuLimit()
hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
set_, calls = resource.setrlimit, []
resource.setrlimit = lambda *given: (calls.append(given), set_(*given))
for used_s, bound_s in ((0.1, 5), (0.2, 5), (0.3, 60), (0.4, 5)):
    limit.allow(used_s, bound_s)
    assert resource.getrlimit(resource.RLIMIT_CPU)[1] == hard
print([soft for _, (soft, _) in calls], resource.getrlimit(resource.RLIMIT_CPU)[0])
"""

BOUND = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from loki.actors.runner.cpu_limit import CpuLimit
CpuLimit().allow(0, 3600)
print(resource.getrlimit(resource.RLIMIT_CPU))
"""

BURN = """
import signal
signal.signal(signal.SIGXCPU, lambda *_: None)
from loki.actors.runner.cpu_limit import CpuLimit
CpuLimit().allow(0, 0)
while True:
    pass
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_it_rises_and_falls_and_is_set_only_where_it_changes() -> None:
    done = run(SET)
    assert done.stdout.strip() == "[7, 62, 7] 7", done.stderr


def test_a_hard_limit_from_outside_stays() -> None:
    done = run(BOUND)
    assert done.stdout.strip() == "(30, 30)", done.stderr


def test_it_ends_the_process_whatever_handler_there_was() -> None:
    assert run(BURN).returncode == -signal.SIGXCPU
