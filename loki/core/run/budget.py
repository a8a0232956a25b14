"""What a run may use: when it is warned, and when it has used too much."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum

from loki.messages.execution import Cause
from loki.messages.value import ScriptValue

WARN_SHARE = 0.8
SHOWN = {
    "max_execution_time_ms": ("wall_ms", 1),
    "max_cpu_time_ms": ("cpu_ms", 1),
    "max_memory_mb": ("memory_bytes", 1024 * 1024),
    "max_output_kb": ("output_bytes", 1024),
    "max_calls_in_flight": ("calls_in_flight", 1),
}
"""Limit -> its name in `loki.budget()`, and how many of that unit make one of the limit's."""
LIMIT_OF_CAUSE: dict[Cause | None, str] = {
    Cause.TIME: "max_execution_time_ms",
    Cause.CPU: "max_cpu_time_ms",
    Cause.MEMORY: "max_memory_mb",
    Cause.OUTPUT: "max_output_kb",
}


class Action(IntEnum):
    """What the use of a budget calls for; the greater is the worse."""

    NONE = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one budget is used, in the unit of its limit."""

    limit: str  # Its name, such as "max_memory_mb".
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


def due(uses: Iterable[Use], warned: Collection[str], ended: str | None = None) -> list[Use]:
    """Those to warn of now: near their end or past it, and each only once.

    The limit that `ended` the run counts, whatever is seen of its use afterwards.
    """
    return [
        use
        for use in uses
        if (use.action is not Action.NONE or use.limit == ended) and use.limit not in warned
    ]


def left(uses: Iterable[Use]) -> dict[str, ScriptValue]:
    """What scripts are told: of each limit the least that is left, and what it allows in all.

    What has no limit is not there.
    """
    tightest: dict[str, Use] = {}
    for use in uses:
        if use.allowed > 0:
            known = tightest.get(use.limit, use)
            tightest[use.limit] = min(known, use, key=lambda each: each.allowed - each.used)
    rest: dict[str, ScriptValue] = {}
    allowed: dict[str, ScriptValue] = {}
    for limit, use in tightest.items():
        name, unit = SHOWN[limit]
        rest[name] = number(max(0.0, use.allowed - use.used) * unit, name)
        allowed[name] = number(use.allowed * unit, name)
    return {**rest, "allowed": allowed}


def number(amount: float, name: str) -> int | float:
    """Times are floats, whatever is counted is whole."""
    return float(amount) if name.endswith("_ms") else round(amount)
