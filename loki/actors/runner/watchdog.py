"""A thread that looks at a script while it computes, and ends the process when that must be.

Lua runs without Python's lock, so this thread goes on while a script loops, inside a C function
too. Arming is one store; the thread is woken only when it would sleep past the time to look. It
looks under a lock that `disarm` takes: whatever it does then, such as sending a message, it does
while the other thread is in Lua and nowhere else. Behind it stand the kernel's own alarms, of wall
and of CPU time, which need neither lock nor thread.
"""

import math
import signal
import threading
import time
from collections.abc import Callable

ALARM_GRACE_S = 0.02


class Watchdog:
    """Guards one thread's computing: `arm`, let Lua have the thread, `disarm`."""

    def __init__(self, look: Callable[[], float]) -> None:
        """`look()` runs in the watchdog's thread, when it is time; it tells when to look again,
        on the monotonic clock.
        """
        self._look = look
        self._look_at_s = math.inf
        self._sleeps_until_s = math.inf
        self._wake = threading.Condition()
        self._looking = threading.Lock()
        self._counts_cpu = False
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, look_at_s: float, deadline_s: float, cpu_left_s: float = math.inf) -> None:
        """Both times are on the monotonic clock; the alarms come shortly past the budgets' ends."""
        self._look_at_s = look_at_s
        left_s = max(deadline_s - time.monotonic(), 0.0) + ALARM_GRACE_S
        signal.setitimer(signal.ITIMER_REAL, left_s)
        if cpu_left_s != math.inf:
            self._counts_cpu = True
            signal.setitimer(signal.ITIMER_PROF, max(cpu_left_s, 0.0) + ALARM_GRACE_S)
        if look_at_s < self._sleeps_until_s:
            with self._wake:
                self._wake.notify()

    def disarm(self) -> None:
        with self._looking:
            self._look_at_s = math.inf
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._counts_cpu:
            self._counts_cpu = False
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _watch(self) -> None:
        with self._wake:
            while True:
                # First: whoever arms from here on finds us sleeping for ever, and wakes us.
                self._sleeps_until_s = math.inf
                look_at_s = self._look_at_s
                left_s = look_at_s - time.monotonic()
                if left_s <= 0:
                    self._look_if_armed()
                    continue
                self._sleeps_until_s = look_at_s
                self._wake.wait(None if left_s == math.inf else left_s)

    def _look_if_armed(self) -> None:
        with self._looking:
            if self._look_at_s <= time.monotonic():
                self._look_at_s = self._look()
