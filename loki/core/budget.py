"""What a run may use: when it is warned, and when it has used too much."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

WARN_SHARE = 0.8


class Action(IntEnum):
    """What the use of a budget calls for; the greater is the worse."""

    NONE = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one budget is used, both in its unit."""

    budget: str  # Name of the limit, such as "max_memory_mb".
    used: float
    allowed: float  # 0 is no limit.

    @property
    def action(self) -> Action:
        return check(self.used, self.allowed)


def check(used: float, allowed: float) -> Action:
    """Warning from 80 % on. All of it may be used; a limit of 0 is none."""
    if allowed <= 0 or used < allowed * WARN_SHARE:
        return Action.NONE
    return Action.CRITICAL if used > allowed else Action.WARNING


def check_all(uses: Iterable[Use]) -> Action:
    """The worst action, whatever the order."""
    return max((use.action for use in uses), default=Action.NONE)
