"""A script at work in a runner, and what it has used of its budgets."""

import math
import time
from dataclasses import dataclass, field

from loki.actors.outlet import Outlet
from loki.actors.role import Timer
from loki.core.budget import WARN_SHARE, Action, Use, check
from loki.core.engine import Session
from loki.messages.execution import Cause, StartRun, Usage
from loki.messages.script import Limits, Script

KB, MB = 1024, 1024 * 1024


@dataclass(slots=True, eq=False)
class Activity:
    """One script with its state."""

    id: str  # Under which children know it.
    script: Script
    limits: Limits
    session: Session
    began_s: float
    budget_s: float
    deadline_s: float
    cpu_allowed_s: float  # Infinite is no limit.
    cpu_began_s: float
    calls_in_flight: int = 0

    @property
    def cpu_s(self) -> float:
        """Any thread may ask."""
        return time.process_time() - self.cpu_began_s

    def may_call(self) -> bool:
        """Whether one call more may wait for its answer."""
        allowed = self.limits.max_calls_in_flight
        return check(self.calls_in_flight + 1, allowed) is not Action.CRITICAL

    def exhausted(self, now_s: float) -> Cause | None:
        """The budget of time that is used up."""
        if now_s >= self.deadline_s:
            return Cause.TIME
        if self.cpu_allowed_s != math.inf and self.cpu_s > self.cpu_allowed_s:
            return Cause.CPU
        return None

    def uses(self, now_s: float) -> tuple[Use, ...]:
        """Of what one script uses for itself."""
        limits = self.limits
        return (
            Use("max_execution_time_ms", (now_s - self.began_s) * 1000, self.budget_s * 1000),
            Use("max_cpu_time_ms", self.cpu_s * 1000, limits.max_cpu_time_ms),
            Use("max_memory_mb", self.session.memory_bytes / MB, limits.max_memory_mb),
            Use("max_calls_in_flight", self.calls_in_flight, limits.max_calls_in_flight),
        )


@dataclass(slots=True, eq=False)
class Current:
    """The run that this process has."""

    start: StartRun
    root: Activity
    outlet: Outlet
    api_calls: int = 0
    peak_memory_bytes: int = 0
    look_at_s: float = 0.0  # When its wall time calls for a warning, or is over.
    memory_warning_bytes: float = math.inf
    output_warning_bytes: float = math.inf
    warned: list[str] = field(default_factory=list)  # Names of limits.
    timer: Timer | None = None

    def __post_init__(self) -> None:
        limits = self.start.limits
        self.look_at_s = self.root.began_s + WARN_SHARE * self.root.budget_s
        self.memory_warning_bytes = WARN_SHARE * limits.max_memory_mb * MB
        self.output_warning_bytes = WARN_SHARE * limits.max_output_kb * KB or math.inf

    @property
    def id(self) -> str:
        return self.start.run

    @property
    def name(self) -> str:
        return self.root.script.name

    def has_warned(self, limit: str) -> None:
        """From now on its warning is not looked for."""
        self.warned.append(limit)
        match limit:
            case "max_execution_time_ms":
                self.look_at_s = self.root.deadline_s
            case "max_memory_mb":
                self.memory_warning_bytes = math.inf
            case "max_output_kb":
                self.output_warning_bytes = math.inf

    def uses(self, now_s: float) -> tuple[Use, ...]:
        """Of the whole run."""
        written = Use(
            "max_output_kb", self.outlet.written_bytes / KB, self.start.limits.max_output_kb
        )
        return (*self.root.uses(now_s), written)

    def usage(self, now_s: float, cause: Cause) -> Usage:
        root = self.root
        wall_s, cpu_s = now_s - root.began_s, root.cpu_s
        over_s = cpu_s - root.cpu_allowed_s if cause is Cause.CPU else wall_s - root.budget_s
        return Usage(
            wall_ms=wall_s * 1000,
            cpu_ms=cpu_s * 1000,
            peak_memory_bytes=self.peak_memory_bytes,
            api_calls=self.api_calls,
            queue_ms=self.start.queue_ms,
            overshoot_ms=max(0.0, over_s) * 1000,
            budgets=self.start.limits,
            warnings=tuple(self.warned),
        )
