"""The watchdog, against real Lua loops; each in a process of its own, for that is what it ends."""

import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from loki.actors.watchdog import Watchdog

PROGRAM = """
import os, sys, time
from lupa.lua54 import LuaRuntime
from loki.actors.watchdog import Watchdog

def expired(deadline_s):
    os.write(1, b"expired %d" % (time.monotonic() >= deadline_s))
    os._exit(75)

{before}
watchdog = Watchdog(expired)
lua = LuaRuntime()
watchdog.arm(time.monotonic() + {budget_s})
lua.execute({script!r})
watchdog.disarm()
{after}
os.write(1, b"finished")
"""

LOOP = "while true do end"
BACKTRACK = "string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40) .. 'b')"
QUICK = "local x = 1 + 1"


def run(
    script: str, *, budget_s: float = 0.05, before: str = "", after: str = ""
) -> subprocess.CompletedProcess[bytes]:
    program = PROGRAM.format(script=script, budget_s=budget_s, before=before, after=after)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=30, check=False
    )


@pytest.mark.parametrize("script", [LOOP, BACKTRACK], ids=["loop", "inside a C function"])
def test_a_script_that_computes_for_ever_is_ended_by_the_callback(script: str) -> None:
    ended = run(script)
    assert (ended.returncode, ended.stdout) == (75, b"expired 1")


@pytest.mark.parametrize("script", [LOOP, BACKTRACK], ids=["loop", "inside a C function"])
def test_the_alarm_stands_behind_a_watchdog_that_hangs(script: str) -> None:
    hangs = "import threading; expired = lambda _deadline_s: threading.Event().wait()"
    ended = run(script, before=hangs)
    assert (ended.returncode, ended.stdout) == (-signal.SIGALRM, b"")


def test_a_script_that_keeps_its_budget_is_left_alone() -> None:
    """Past the alarm of the run before, too."""
    waits = "time.sleep(0.2)"
    ended = run(QUICK, after=waits)
    assert (ended.returncode, ended.stdout) == (0, b"finished")


def test_a_later_run_is_guarded_after_many_short_ones() -> None:
    many = (
        "for _ in range(2000):\n"
        "    watchdog.arm(time.monotonic() + 5)\n"
        "    watchdog.disarm()\n"
        "watchdog.arm(time.monotonic() + 0.05)\n"
        f"lua.execute({LOOP!r})"
    )
    ended = run(QUICK, after=many)
    assert (ended.returncode, ended.stdout) == (75, b"expired 1")


class Counted:
    def __init__(self, real: Callable[[], None]) -> None:
        self.count = 0
        self._real = real

    def call(self) -> None:
        self.count += 1
        self._real()


class Quiet:
    """No alarm in the tests' own process: it would end them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.alarms: list[float] = []
        monkeypatch.setattr(signal, "setitimer", lambda _which, left_s: self.alarms.append(left_s))
        monkeypatch.setattr(signal, "signal", lambda _number, _handler: None)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Quiet:
    return Quiet(monkeypatch)


def past() -> float:
    return time.monotonic() - 1


def test_a_deadline_armed_while_the_last_one_expires_is_guarded(quiet: Quiet) -> None:
    """The old one's callback must not wipe out the new one's deadline when it returns."""
    expired: list[float] = []
    came = threading.Semaphore(0)
    rearmed = threading.Event()
    first, second = past(), past()

    def callback(deadline_s: float) -> None:
        expired.append(deadline_s)
        came.release()
        assert rearmed.wait(10)

    watchdog = Watchdog(callback)
    watchdog.arm(first)
    assert came.acquire(timeout=10)
    arming = threading.Thread(target=watchdog.arm, args=(second,))
    arming.start()  # It waits for the callback to return: its deadline is stored already.
    while watchdog._deadline_s != second:
        pass
    rearmed.set()
    assert came.acquire(timeout=10)
    arming.join(10)
    assert expired == [first, second]


def test_one_deadline_expires_once(quiet: Quiet) -> None:
    expired: list[float] = []
    came = threading.Semaphore(0)

    def callback(deadline_s: float) -> None:
        expired.append(deadline_s)
        came.release()

    watchdog = Watchdog(callback)
    deadlines = [past() + n / 1000 for n in range(50)]
    for deadline_s in deadlines:
        watchdog.arm(deadline_s)
        assert came.acquire(timeout=10)
    assert expired == deadlines


def test_a_disarmed_deadline_does_not_expire(quiet: Quiet) -> None:
    expired: list[float] = []
    came = threading.Event()
    watchdog = Watchdog(lambda deadline_s: (expired.append(deadline_s), came.set()))
    watchdog.arm(time.monotonic() + 0.02)
    watchdog.disarm()
    second = time.monotonic() + 0.03
    watchdog.arm(second)
    assert came.wait(10)
    assert expired == [second]


def test_the_thread_sleeps_while_deadlines_only_move_away(quiet: Quiet) -> None:
    watchdog = Watchdog(lambda _deadline_s: None)
    wakes = Counted(watchdog._wake.notify)
    watchdog._wake.notify = wakes.call  # type: ignore[method-assign]
    start = time.monotonic() + 60
    watchdog.arm(start)
    while watchdog._sleeps_until_s == math.inf:
        pass
    for n in range(1000):
        watchdog.disarm()
        watchdog.arm(start + n)
    assert wakes.count == 1
    watchdog.arm(start - 30)
    assert wakes.count == 2


def test_the_alarm_is_set_behind_the_deadline_and_taken_back(quiet: Quiet) -> None:
    watchdog = Watchdog(lambda _deadline_s: None)
    watchdog.arm(time.monotonic() + 60)
    watchdog.disarm()
    armed, disarmed = quiet.alarms
    assert 60 < armed < 60.1
    assert disarmed == 0
