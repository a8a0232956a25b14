"""A run as the Dispatcher holds it, and what is said when its runner dies."""

import os
import signal
from dataclasses import dataclass, field

from loki.actors.door.role import Timer
from loki.actors.runner.flight_recorder import Record, RunPhase
from loki.core.run import execution
from loki.core.run.budget import LIMIT_OF_CAUSE
from loki.core.run.execution import Admission
from loki.core.run.limit import NAMES
from loki.core.runner.pool import Death
from loki.messages.envelope import Failure
from loki.messages.execution import (
    BudgetWarned,
    Cause,
    RunFinished,
    RunOpened,
    SubmitRun,
    Usage,
)
from loki.messages.script import Limits

CPU_SIGNALS = frozenset({signal.SIGPROF, signal.SIGXCPU})
"""Of the alarm behind the watchdog, and of the process's own limit behind that."""


@dataclass(slots=True)
class Run:
    """A run that was admitted and has not ended."""

    submitted: SubmitRun
    admission: Admission
    gateway: str
    deadline_s: float | None  # The client's.
    runner: str = ""
    runner_pid: int = 0
    deaths: int = 0  # Of its runners, after its script had begun.
    queued_s: float = 0.0  # In all.
    used_s: float = 0.0  # Wall time at runners that died.
    budget_s: float = 0.0
    deadline_is_clients: bool = False
    started_s: float = 0.0
    told: set[str] = field(default_factory=set)  # Children that know of it.
    over: bool = False  # Its script has ended; the result may not have come yet.
    timer: Timer | None = None
    killed_for: Failure | None = None
    warned: list[str] = field(default_factory=list)  # Limits that are nearly used up.

    @property
    def name(self) -> str:
        return self.admission.script.name

    def is_news(self, limit: str) -> bool:
        """Whether a warning of this limit was not told yet; from now on it was."""
        if limit in self.warned or limit not in NAMES:
            return False
        self.warned.append(limit)
        return True


def opened(run: Run) -> RunOpened:
    """What a child is told of it."""
    script = run.admission.script
    return RunOpened(
        run=run.submitted.run,
        script=script.name,
        principal=run.submitted.principal,
        permissions=script.permissions,
        declared_in=script.declared_in,
        runner_pid=run.runner_pid,
        dispatcher_pid=os.getpid(),
        max_disk_mb=run.admission.limits.max_disk_mb,
    )


def has_begun(record: Record, run: Run) -> bool:
    """Whether the script of this run began; the page may still tell of the run before."""
    return record.run == run.submitted.run and record.phase >= RunPhase.BEGUN


def obituary(run: Run, record: Record, now_s: float, killed_by: int = 0) -> RunFinished:
    """What the gateway hears of a run whose runner ended without an answer.

    `killed_by` is the signal that ended it, if one did.
    """
    wall_s = now_s - run.started_s
    failure = _why(run, record, wall_s, killed_by)
    cause = execution.CAUSE_OF_CODE[failure.code] if failure else record.cause
    limits = run.admission.limits
    least_cpu_ms = limits.max_cpu_time_ms if cause is Cause.CPU else 0  # An alarm tells no more.
    ended_by = _limit_of(cause, limits)
    warned = dict.fromkeys(filter(None, (*run.warned, ended_by)))
    usage = Usage(
        wall_ms=wall_s * 1000,
        cpu_ms=max(record.cpu_ms, least_cpu_ms),
        queue_ms=run.queued_s * 1000,
        overshoot_ms=record.overshoot_ms or max(0.0, wall_s - run.budget_s) * 1000,
        peak_memory_bytes=record.peak_memory_bytes,
        budgets=limits,
        warnings=tuple(warned),
    )
    return execution.ended_by_death(run.submitted.run, run.name, cause, failure, usage)


def last_warning(run: Run, end: RunFinished) -> BudgetWarned | None:
    """Of the limit that ended it, where its runner had no time to tell; `end` is its obituary."""
    limit = _limit_of(end.cause, run.admission.limits)
    if not run.is_news(limit):
        return None
    used = end.usage.cpu_ms if end.cause is Cause.CPU else end.usage.wall_ms
    allowed = getattr(run.admission.limits, limit)
    return BudgetWarned(run=end.run, limit=limit, used=used, allowed=allowed)


def _limit_of(cause: Cause | None, limits: Limits) -> str:
    """The limit by which the time of a run ended, if one did."""
    limit = LIMIT_OF_CAUSE[cause] if cause in (Cause.TIME, Cause.CPU) else ""
    return limit if limit and getattr(limits, limit) else ""


def death_of(run: Run, record: Record, end: RunFinished) -> Death:
    """What counts for whether it may run again; `end` is its obituary."""
    return Death(
        deaths=run.deaths,
        idempotent=run.admission.script.idempotent,
        shown=record.shown,
        stopped=end.cause is not Cause.CRASHED,
    )


def _why(run: Run, record: Record, wall_s: float, killed_by: int) -> Failure | None:
    """Its watchdog left a word; the alarms behind that cannot, but end it by their signals."""
    cause = record.cause
    if cause is None and run.killed_for is None:
        if killed_by in CPU_SIGNALS:
            cause = Cause.CPU
        elif wall_s >= run.budget_s:
            cause = Cause.TIME
    script = run.admission.script
    match cause:
        case Cause.CPU:
            return execution.cpu_failure(script, run.admission.limits.max_cpu_time_ms)
        case Cause.TIME:
            return execution.time_failure(script, run.budget_s, run.deadline_is_clients)
    return run.killed_for
