"""The Clock port: everything that asks for the time asks one of these."""

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def monotonic_s(self) -> float:
        """Seconds since some fixed start; never goes back."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970 (UTC); jumps when the device's clock is set."""


class SystemClock:
    """The device's own clocks."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def now_ns(self) -> int:
        return time.time_ns()


class FakeClock:
    """Time that moves only when a test says so."""

    def __init__(self, monotonic_s: float = 0.0, now_ns: int = 0) -> None:
        self._monotonic_s = monotonic_s
        self._now_ns = now_ns

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass on both clocks."""
        self._monotonic_s += seconds
        self._now_ns += round(seconds * 1e9)

    def turn(self, seconds: float) -> None:
        """Let somebody set the time of day forward, or back; the monotonic clock goes on."""
        self._now_ns += round(seconds * 1e9)
