"""Whether a system that died is started again: so often within a while, and then no more.

Theory of operation. Every death is a moment on the monotonic clock. Those that are older than the
period are forgotten, so that a device which fails once a day is started again for ever.
"""

from dataclasses import dataclass, replace

MOST = 3
PERIOD_S = 60.0
BEAT_S = 0.5
MOST_MISSED = 3


@dataclass(frozen=True, slots=True)
class Reboots:
    """The deaths that still count."""

    most: int = MOST  # Starts within the period.
    period_s: float = PERIOD_S
    deaths_s: tuple[float, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the last death is followed by another start."""
        return len(self.deaths_s) <= self.most

    @property
    def text(self) -> str:
        """Which start this is, for the log."""
        return f"{len(self.deaths_s)} of {self.most} in {self.period_s:.3g} s"


def died(reboots: Reboots, now_s: float) -> Reboots:
    """With one more death, at `now_s`; one that is a whole period old counts no more."""
    recent = tuple(s for s in reboots.deaths_s if now_s - s < reboots.period_s)
    return replace(reboots, deaths_s=(*recent, now_s))


@dataclass(frozen=True, slots=True)
class Pulse:
    """How somebody answers who is asked every `BEAT_S`, and given as long for each answer."""

    missed: int = 0  # In a row.

    @property
    def hung(self) -> bool:
        return self.missed >= MOST_MISSED

    def felt(self, answered: bool) -> "Pulse":
        """A watcher that was itself stopped for long has missed one answer at most."""
        return Pulse(0 if answered else self.missed + 1)
