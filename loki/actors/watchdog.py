"""A thread that ends the process when a script computes past its deadline.

Lua runs without Python's lock, so this thread goes on while a script loops, inside a C function
too. Arming is one store; the thread is woken only when it would sleep past the new deadline.
Behind it stands the kernel's own alarm, which needs neither lock nor thread.
"""

import math
import signal
import threading
import time
from collections.abc import Callable

ALARM_GRACE_S = 0.02


class Watchdog:
    """Guards one thread's computing. `expired(deadline_s)` runs in the watchdog's thread."""

    def __init__(self, expired: Callable[[float], None]) -> None:
        self._expired = expired
        self._deadline_s = math.inf
        self._sleeps_until_s = math.inf
        self._wake = threading.Condition()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, deadline_s: float) -> None:
        """`deadline_s` is on the monotonic clock."""
        self._deadline_s = deadline_s
        left_s = max(deadline_s - time.monotonic(), 0.0) + ALARM_GRACE_S
        signal.setitimer(signal.ITIMER_REAL, left_s)
        if deadline_s < self._sleeps_until_s:
            with self._wake:
                self._wake.notify()

    def disarm(self) -> None:
        self._deadline_s = math.inf
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _watch(self) -> None:
        expired_s = math.inf  # Only `arm` and `disarm` may write the deadline: no store is lost.
        with self._wake:
            while True:
                # First: whoever arms from here on finds us sleeping for ever, and wakes us.
                self._sleeps_until_s = math.inf
                deadline_s = self._deadline_s
                left_s = math.inf if deadline_s == expired_s else deadline_s - time.monotonic()
                if left_s <= 0:
                    expired_s = deadline_s
                    self._expired(deadline_s)
                    continue
                self._sleeps_until_s = math.inf if left_s == math.inf else deadline_s
                self._wake.wait(None if left_s == math.inf else left_s)
