"""The watchdog, against real Lua loops; each in a process of its own, for that is what it ends."""

import math
import signal
import subprocess
import sys
import threading
import time

import pytest

from loki.actors.runner.watchdog import ALARM_GRACE_S, Watchdog

PROGRAM = """
import os, sys, time
from lupa.lua54 import LuaRuntime
from loki.actors.runner.watchdog import Watchdog

def look():
    os.write(1, b"expired %d" % (time.monotonic() >= deadline_s))
    os._exit(75)

{before}
watchdog = Watchdog(look)
lua = LuaRuntime()
deadline_s = time.monotonic() + {budget_s}
watchdog.arm(deadline_s, deadline_s{cpu})
lua.execute({script!r})
watchdog.disarm()
{after}
os.write(1, b"finished")
"""

LOOP = "while true do end"
BACKTRACK = "string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40) .. 'b')"
HANGS = "import threading; look = lambda: threading.Event().wait()"
PATIENT = "from loki.actors.runner import watchdog; watchdog.ALARM_GRACE_S = 20"
QUICK = "local x = 1 + 1"


def run(
    script: str, *, budget_s: float = 0.05, cpu: str = "", before: str = "", after: str = ""
) -> subprocess.CompletedProcess[bytes]:
    program = PROGRAM.format(script=script, budget_s=budget_s, cpu=cpu, before=before, after=after)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=30, check=False
    )


@pytest.mark.parametrize("script", [LOOP, BACKTRACK], ids=["loop", "inside a C function"])
def test_a_script_that_computes_for_ever_is_ended_by_the_callback(script: str) -> None:
    ended = run(script, before=PATIENT)
    assert (ended.returncode, ended.stdout) == (75, b"expired 1")


@pytest.mark.parametrize("script", [LOOP, BACKTRACK], ids=["loop", "inside a C function"])
def test_the_alarm_stands_behind_a_watchdog_that_hangs(script: str) -> None:
    ended = run(script, before=HANGS)
    assert (ended.returncode, ended.stdout) == (-signal.SIGALRM, b"")


@pytest.mark.parametrize("script", [LOOP, BACKTRACK], ids=["loop", "inside a C function"])
def test_an_alarm_of_cpu_time_stands_behind_it_too(script: str) -> None:
    ended = run(script, budget_s=20, cpu=", 0.05")
    assert (ended.returncode, ended.stdout) == (-signal.SIGPROF, b"")


def test_the_alarm_of_cpu_time_is_taken_back() -> None:
    burns = "begin = time.process_time()\nwhile time.process_time() - begin < 0.2: pass"
    ended = run(QUICK, budget_s=20, cpu=", 0.05", after=burns)
    assert (ended.returncode, ended.stdout) == (0, b"finished")


def test_a_script_that_keeps_its_budget_is_left_alone() -> None:
    """Past the alarm of the run before, too."""
    waits = "time.sleep(deadline_s - time.monotonic() + 0.2)"
    ended = run(QUICK, budget_s=1.5, after=waits)
    assert (ended.returncode, ended.stdout) == (0, b"finished")


def test_a_later_run_is_guarded_after_many_short_ones() -> None:
    many = (
        "for _ in range(2000):\n"
        "    deadline_s = time.monotonic() + 5\n"
        "    watchdog.arm(deadline_s, deadline_s)\n"
        "    watchdog.disarm()\n"
        "deadline_s = time.monotonic() + 0.05\n"
        "watchdog.arm(deadline_s, deadline_s)\n"
        f"lua.execute({LOOP!r})"
    )
    ended = run(QUICK, budget_s=20, before=PATIENT, after=many)
    assert (ended.returncode, ended.stdout) == (75, b"expired 1")


class Quiet:
    """No alarm in the tests' own process: it would end them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.alarms: list[tuple[int, float]] = []
        monkeypatch.setattr(
            signal, "setitimer", lambda which, left_s: self.alarms.append((which, left_s))
        )
        monkeypatch.setattr(signal, "signal", lambda _number, _handler: None)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Quiet:
    return Quiet(monkeypatch)


class Looks:
    """Counts the looks; the next one comes when `again_s` says."""

    def __init__(self, again_s: float = math.inf) -> None:
        self.came = threading.Semaphore(0)
        self.may_return = threading.Event()
        self.may_return.set()
        self.again_s = again_s

    def look(self) -> float:
        again_s, self.again_s = self.again_s, math.inf
        self.came.release()
        assert self.may_return.wait(10)
        return again_s


def past() -> float:
    return time.monotonic() - 1


def test_who_computes_waits_until_the_look_is_over(quiet: Quiet) -> None:
    """So that a message that the look sends cannot meet one of the other thread's."""
    looks = Looks()
    looks.may_return.clear()
    watchdog = Watchdog(looks.look)
    watchdog.arm(past(), math.inf)
    assert looks.came.acquire(timeout=10)
    disarming = threading.Thread(target=watchdog.disarm)
    disarming.start()
    assert watchdog._looking.locked()
    assert disarming.is_alive()
    looks.may_return.set()
    disarming.join(10)
    assert not disarming.is_alive()


def test_a_look_says_when_the_next_one_is_due(quiet: Quiet) -> None:
    looks = Looks(again_s=past())
    watchdog = Watchdog(looks.look)
    watchdog.arm(past(), math.inf)
    assert looks.came.acquire(timeout=10)
    assert looks.came.acquire(timeout=10)
    watchdog.disarm()
    assert not looks.came.acquire(blocking=False)


def test_each_arming_is_looked_at_once(quiet: Quiet) -> None:
    looks = Looks()
    watchdog = Watchdog(looks.look)
    for _ in range(50):
        watchdog.arm(past(), math.inf)
        assert looks.came.acquire(timeout=10)
        watchdog.disarm()
    assert not looks.came.acquire(blocking=False)


def test_what_is_disarmed_is_not_looked_at(quiet: Quiet) -> None:
    looked: list[float] = []
    came = threading.Event()

    def look() -> float:
        looked.append(time.monotonic())
        came.set()
        return math.inf

    watchdog = Watchdog(look)
    for budget_s in (0.02, 0.2, 2.0, 20.0):  # One that passes on a busy machine tells nothing.
        first = time.monotonic() + budget_s
        watchdog.arm(first, math.inf)
        watchdog.disarm()
        if time.monotonic() < first:
            break
        looked.clear()
        came.clear()
    second = first + 0.01
    watchdog.arm(second, math.inf)
    assert came.wait(60)
    watchdog.disarm()
    assert len(looked) == 1
    assert looked[0] >= second


def test_the_thread_sleeps_while_the_times_only_move_away(
    quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    watchdog = Watchdog(lambda: math.inf)
    wakes: list[None] = []
    notify = watchdog._wake.notify
    monkeypatch.setattr(watchdog._wake, "notify", lambda: (wakes.append(None), notify()))
    start = time.monotonic() + 60
    watchdog.arm(start, math.inf)
    while watchdog._sleeps_until_s == math.inf:
        pass
    for n in range(1000):
        watchdog.disarm()
        watchdog.arm(start + n, math.inf)
    assert len(wakes) == 1
    watchdog.arm(start - 30, math.inf)
    assert len(wakes) == 2


def test_the_alarms_are_set_behind_the_budgets_and_taken_back(quiet: Quiet) -> None:
    watchdog = Watchdog(lambda: math.inf)
    deadline_s = time.monotonic() + 60
    watchdog.arm(deadline_s, deadline_s, 7.0)
    watchdog.disarm()
    late_s = time.monotonic() - (deadline_s - 60)
    (wall, armed_s), (cpu, cpu_armed_s), *taken_back = quiet.alarms
    assert (wall, cpu) == (signal.ITIMER_REAL, signal.ITIMER_PROF)
    assert 60 - late_s < armed_s - ALARM_GRACE_S <= 60
    assert cpu_armed_s == 7 + ALARM_GRACE_S
    assert taken_back == [(signal.ITIMER_REAL, 0), (signal.ITIMER_PROF, 0)]


def test_without_a_budget_of_cpu_time_its_alarm_costs_nothing(quiet: Quiet) -> None:
    watchdog = Watchdog(lambda: math.inf)
    watchdog.arm(math.inf, time.monotonic() + 60)
    watchdog.disarm()
    assert {which for which, _ in quiet.alarms} == {signal.ITIMER_REAL}
