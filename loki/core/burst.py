"""Many signs of change within a moment are one change: when to look at it."""

from dataclasses import dataclass, replace

QUIET_S = 0.15
"""An editor writes, renames and sets times within less."""
LONGEST_S = 0.5
"""A change is looked at after so long although there are more and more."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Signs that nobody has looked at yet; times are of the monotonic clock."""

    first_s: float
    last_s: float

    @property
    def due_s(self) -> float:
        """When to look."""
        return min(self.last_s + QUIET_S, self.first_s + LONGEST_S)


def signed(burst: Burst | None, now_s: float) -> Burst:
    """After one more sign."""
    return Burst(now_s, now_s) if burst is None else replace(burst, last_s=now_s)
