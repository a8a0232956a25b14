"""Scripts at work in a runner, and what they have used of their budgets."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from loki.actors.door.role import Timer
from loki.actors.runner.outlet import Outlet
from loki.core.run import execution
from loki.core.run.budget import WARN_SHARE, Action, Use, check
from loki.core.run.engine import Session
from loki.messages.call import CallOpened
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, StartRun, Usage
from loki.messages.script import Limits, Script

KB, MB = 1024, 1024 * 1024
SHORTEST_LOOK_S = 0.0005
SHARED = frozenset({"max_cpu_time_ms", "max_memory_mb", "max_output_kb"})
"""Limits of a run that the scripts which it called use up as well; its deadline is theirs too."""


@dataclass(slots=True, eq=False)
class Activity:
    """One script with its state: that of the run, or one that a script called."""

    id: str  # Under which children know it.
    script: Script
    limits: Limits
    session: Session
    began_s: float
    budget_s: float
    deadline_s: float  # Never past that of its caller.
    cpu_allowed_s: float  # Infinite is no limit.
    cpu_began_s: float  # Process time, less what was not its own since.
    cpu_paused_s: float | None = None  # Process time when the last step of a called script ended.
    caller: "Activity | None" = None
    ticket: int = 0  # Of the caller's function that waits for this one's end.
    alive: bool = True
    written_bytes: int = 0
    calls_in_flight: int = 0
    called: "set[Activity]" = field(default_factory=set)
    timers: set[Timer] = field(default_factory=set)

    @property
    def cpu_s(self) -> float:
        """Of the whole run, or of a called script's own steps. Any thread may ask."""
        now_s = time.process_time() if self.cpu_paused_s is None else self.cpu_paused_s
        return now_s - self.cpu_began_s

    def step_begins(self) -> None:
        """For a called script: from now on CPU time is its own."""
        assert self.cpu_paused_s is not None  # noqa: S101
        self.cpu_began_s += time.process_time() - self.cpu_paused_s
        self.cpu_paused_s = None

    def step_ended(self) -> None:
        """For a called script: from now on CPU time is that of others."""
        self.cpu_paused_s = time.process_time()

    @property
    def chain(self) -> "tuple[Activity, ...]":
        """Who called whom, this one last."""
        return (*self.caller.chain, self) if self.caller else (self,)

    def all(self) -> "Iterator[Activity]":
        """Itself, and all that it called and they called."""
        yield self
        for each in self.called:
            yield from each.all()

    def end(self) -> None:
        """No step comes any more, neither here nor of what it called."""
        for each in self.all():
            each.alive = False
            for timer in each.timers:
                timer.cancel()

    def close(self) -> None:
        """Free the states."""
        for each in self.all():
            each.session.close()

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
            Use("max_output_kb", self.written_bytes / KB, limits.max_output_kb),
            Use("max_calls_in_flight", self.calls_in_flight, limits.max_calls_in_flight),
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A script, and which of its functions waits; 0 is the script itself."""

    activity: Activity
    ticket: int = 0


@dataclass(slots=True, eq=False)
class Current:
    """The run that this process has."""

    start: StartRun
    root: Activity
    outlet: Outlet
    has_called: bool = False  # Another script: from then on they share its memory budget.
    api_calls: int = 0
    peak_memory_bytes: int = 0
    look_at_s: float = 0.0  # When its wall time calls for a warning, or is over.
    memory_warning_bytes: float = math.inf
    output_warning_bytes: float = math.inf
    warned: list[str] = field(default_factory=list)  # Names of limits.

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

    @property
    def memory_bytes(self) -> int:
        """Of all its scripts. Any thread may ask while none of them starts or ends."""
        return sum(each.session.memory_bytes for each in self.root.all())

    def memory_left_bytes(self, activity: Activity) -> int:
        """How large the heap of this script may be, beside those of the others."""
        others = self.memory_bytes - activity.session.memory_bytes
        return max(0, self.start.limits.max_memory_mb * MB - others)

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
        wall, cpu, memory, written, calls = self.root.uses(now_s)
        memory = replace(memory, used=self.memory_bytes / MB)
        written = replace(written, used=self.outlet.written_bytes / KB)
        return wall, cpu, memory, written, calls

    def uses_of(self, activity: Activity, now_s: float) -> tuple[Use, ...]:
        """Of all limits that may end this script."""
        uses = self.uses(now_s)
        if activity is self.root:
            return uses
        return (*activity.uses(now_s), *(use for use in uses if use.limit in SHARED))

    def next_look_s(self, activity: Activity, now_s: float) -> float:
        """When this script, computing, may reach a limit of time, or the run a warning.

        CPU time cannot pass faster than the clock.
        """
        next_s = min(self.look_at_s, activity.deadline_s)
        for each in (self.root, activity):
            if each.cpu_allowed_s != math.inf:
                warned = each is not self.root or "max_cpu_time_ms" in self.warned
                left_s = each.cpu_allowed_s * (1 if warned else WARN_SHARE) - each.cpu_s
                next_s = min(next_s, now_s + max(left_s, SHORTEST_LOOK_S))
        return next_s

    def usage(self, now_s: float, cause: Cause, spent: Activity) -> Usage:
        """`spent` is the script whose budget ended the run, if one did."""
        root = self.root
        cpu_s = root.cpu_s  # It goes on from one look to the next.
        over_s = now_s - spent.deadline_s
        if cause is Cause.CPU:
            over_s = (cpu_s if spent is root else spent.cpu_s) - spent.cpu_allowed_s
        return Usage(
            wall_ms=(now_s - root.began_s) * 1000,
            cpu_ms=cpu_s * 1000,
            peak_memory_bytes=self.peak_memory_bytes,
            api_calls=self.api_calls,
            queue_ms=self.start.queue_ms,
            overshoot_ms=max(0.0, over_s) * 1000,
            budgets=self.start.limits,
            warnings=tuple(self.warned),
        )


def root_of(start: StartRun, script: Script, session: Session, now_s: float) -> Activity:
    """A run's own script, which begins now."""
    return Activity(
        id=start.run,
        script=script,
        limits=start.limits,
        session=session,
        began_s=now_s,
        budget_s=start.budget_s,
        deadline_s=now_s + start.budget_s,
        cpu_allowed_s=start.limits.max_cpu_time_ms / 1000 or math.inf,
        cpu_began_s=time.process_time(),
    )


def called_by(waiting: Waiting, opened: CallOpened, script: Script, session: Session) -> Activity:
    """A script that `waiting` called, which begins now."""
    now_s, cpu_now_s = time.monotonic(), time.process_time()
    caller, own_s = waiting.activity, opened.limits.max_execution_time_ms / 1000
    budget_s = max(0.0, min(own_s, caller.deadline_s - now_s))
    return Activity(
        id=opened.call,
        script=script,
        limits=opened.limits,
        session=session,
        began_s=now_s,
        budget_s=budget_s,
        deadline_s=min(now_s + own_s, caller.deadline_s),
        cpu_allowed_s=opened.limits.max_cpu_time_ms / 1000 or math.inf,
        cpu_began_s=cpu_now_s,
        cpu_paused_s=cpu_now_s,
        caller=caller,
        ticket=waiting.ticket,
    )


def under(script: Script, limits: Limits) -> Script:
    """The ceiling may have come down since it was published."""
    if script.limits == limits:
        return script
    changed: Script = msgspec.structs.replace(script, limits=limits)
    return changed


def failure_of(run: Current, spent: Activity, cause: Cause) -> Failure:
    """What is said of a script that used up its wall or CPU time."""
    script, limits = spent.script, spent.limits
    if cause is Cause.CPU:
        failure = execution.cpu_failure(script, limits.max_cpu_time_ms)
    else:
        is_clients = spent is run.root and run.start.deadline_is_clients
        failure = execution.time_failure(script, spent.budget_s, is_clients)
    if spent is run.root:
        return failure
    return msgspec.structs.replace(failure, details={"tool": script.name})
