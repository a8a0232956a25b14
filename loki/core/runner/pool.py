"""Which run gets which runner, who waits, who is turned away, and when runners come and go.

Theory of operation. A runner is starting, idle, busy with one run, or doomed (we killed it and
wait for its end). Runs wait in one bounded queue, first come first served. As many runners as
`warm` are kept, and one idle spare beside them, so that a kill delays nobody. More are started,
up to `most`, one after the other, only when the head of the queue has waited for PATIENCE_S: quick
runs on a busy system share few runners, sleeping ones do not hold up the others. A run whose
runner dies before the script began is given to another one, and to a few if they die together; one
whose script had begun is given to one more, if it may run again.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from loki.core.supervisor.spec import Backoff

RUNNER_PREFIX = "runner-"  # Then a number, from 1 with each Dispatcher.
PATIENCE_S = 0.02
IDLE_TOO_LONG_S = 30.0
FAILED_STARTS = Backoff(shortest_s=0.1, longest_s=5.0, jitter=0.0)
MOST_RETURNS = 4  # Of one run to the queue: one that kills its runners must not kill them all.
MOST_DEATHS = 2  # Of runners, in the middle of one run.
CLOCK_STEP_S = 0.001  # A wake may be early by a rounding error, and must still count.


class RunnerPhase(Enum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DOOMED = "doomed"


@dataclass(slots=True)
class Runner:
    name: str
    phase: RunnerPhase
    since_s: float  # Of the phase.
    began_s: float
    run: str = ""


@dataclass(frozen=True, slots=True)
class StartRunner:
    name: str


@dataclass(frozen=True, slots=True)
class StopRunner:
    """It has been idle for long; let it end."""

    name: str


@dataclass(frozen=True, slots=True)
class Assign:
    run: str
    runner: str
    queued_s: float


@dataclass(frozen=True, slots=True)
class TurnAway:
    """The queue is full."""

    run: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The run's runner ended in the middle of it."""

    run: str
    runner: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    when_s: float


Command: TypeAlias = StartRunner | StopRunner | Assign | TurnAway | Lost | WakeAt


@dataclass(frozen=True, slots=True)
class Death:
    """How a run lost its runner after its script had begun."""

    deaths: int  # Of runners in the middle of this run, this one included.
    idempotent: bool  # What its tool declares.
    shown: bool  # Whether its client has seen something of it.
    stopped: bool  # Whether a budget or a cancel ended it.


def may_run_again(death: Death) -> bool:
    """Whether another runner gets the run: once, and where its client cannot tell the difference.

    A stream cannot take back what it has delivered. What was stopped was meant to end.
    """
    unseen = death.idempotent and not death.shown
    return unseen and not death.stopped and death.deaths < MOST_DEATHS


class Pool:
    """No clock and no I/O: every method takes the time, and returns what has to be done."""

    def __init__(self, *, warm: int, most: int, longest_queue: int) -> None:
        self.resize(warm=warm, most=most, longest_queue=longest_queue)
        self.runners: dict[str, Runner] = {}
        self.queue: OrderedDict[str, float] = OrderedDict()  # run -> when it came
        self._returns: dict[str, int] = {}  # Run -> how often it came back to the queue.
        self._number = 0
        self._failed_starts = 0  # In a row.
        self._not_before_s = -math.inf  # When the next runner may start.
        self._wake_s = math.inf

    def resize(self, *, warm: int, most: int, longest_queue: int) -> None:
        """From now on: ticks start and stop runners; who waits already is not turned away."""
        self.warm = warm
        self.most = max(most, warm + 1)
        self.longest_queue = longest_queue

    def begin(self, now_s: float) -> list[Command]:
        """Start the warm runners and the spare."""
        return [self._start(now_s) for _ in range(self.warm + 1)]

    def submitted(self, run: str, now_s: float) -> list[Command]:
        runner = self._idle()
        if runner is not None and not self.queue:
            return [self._assign(run, runner, now_s, now_s)]
        if len(self.queue) >= self.longest_queue:
            return [TurnAway(run)]
        self.queue[run] = now_s
        return self._wake_at(now_s + PATIENCE_S)

    def withdrawn(self, run: str) -> bool:
        """Take a waiting run out of the queue; False when it does not wait (any more)."""
        if self.queue.pop(run, None) is None:
            return False
        self._returns.pop(run, None)
        return True

    def runner_up(self, name: str, now_s: float) -> list[Command]:
        self._failed_starts, self._not_before_s = 0, -math.inf
        return self._free(name, now_s, RunnerPhase.STARTING) + self._grow(now_s)

    def runner_freed(self, name: str, now_s: float) -> list[Command]:
        return self._free(name, now_s, RunnerPhase.BUSY)

    def is_busy(self, name: str) -> bool:
        """Whether it is there, and has a run."""
        return name in self.runners and self.runners[name].run != ""

    def runner_doomed(self, name: str) -> None:
        """We killed it: its run gets no other end from it."""
        self.runners[name].phase = RunnerPhase.DOOMED

    def runner_ended(
        self, name: str, now_s: float, *, began: bool, killed: bool = False
    ) -> list[Command]:
        """A runner is gone; `began` tells whether its run's script had started.

        One that was `killed` while it started says nothing of how the next will fare.
        """
        runner = self.runners.pop(name, None)
        if runner is None:
            return []
        if runner.phase is RunnerPhase.STARTING and not killed:
            self._start_failed(now_s)
        commands: list[Command] = []
        innocent = not began and runner.phase is RunnerPhase.BUSY
        if innocent and self._returns.get(runner.run, 0) < MOST_RETURNS:
            self._requeue(runner.run, now_s)
        elif runner.run:
            self._returns.pop(runner.run, None)
            commands.append(Lost(runner.run, name))
        return commands + self._serve_queue(now_s)

    def _start_failed(self, now_s: float) -> None:
        """The first is tried again at once, the next ever more slowly: each costs a fork."""
        self._failed_starts += 1
        if self._failed_starts > 1:
            delay_s = FAILED_STARTS.delay_s(self._failed_starts - 1, chance=0.0)
            self._not_before_s = now_s + delay_s

    def returned(self, run: str, now_s: float) -> list[Command]:
        """A run that was Lost and may run again."""
        self._requeue(run, now_s)
        return self._serve_queue(now_s) + self._grow(now_s)

    def _requeue(self, run: str, now_s: float) -> None:
        """It has waited before: it goes before all others."""
        self._returns[run] = self._returns.get(run, 0) + 1
        self.queue[run] = now_s
        self.queue.move_to_end(run, last=False)

    def tick(self, now_s: float) -> list[Command]:
        """Look whether somebody waits too long, and keep the spare."""
        if now_s >= self._wake_s - CLOCK_STEP_S:
            self._wake_s = math.inf
        return self._serve_queue(now_s) + self._grow(now_s) + self._shrink(now_s)

    def _wake_at(self, when_s: float) -> list[Command]:
        """One wake for all who wait: with one for each, ticks would beget ticks for ever."""
        if self._wake_s <= when_s:
            return []
        self._wake_s = when_s
        return [WakeAt(when_s)]

    def _free(self, name: str, now_s: float, expected: RunnerPhase) -> list[Command]:
        runner = self.runners.get(name)
        if runner is None or runner.phase is not expected:
            return []
        self._returns.pop(runner.run, None)
        runner.phase, runner.run, runner.since_s = RunnerPhase.IDLE, "", now_s
        return self._serve_queue(now_s)

    def _serve_queue(self, now_s: float) -> list[Command]:
        commands: list[Command] = []
        while self.queue and (runner := self._idle()) is not None:
            run, came_s = self.queue.popitem(last=False)
            commands.append(self._assign(run, runner, came_s, now_s))
        return commands

    def _assign(self, run: str, runner: Runner, came_s: float, now_s: float) -> Assign:
        runner.phase, runner.run, runner.since_s = RunnerPhase.BUSY, run, now_s
        return Assign(run, runner.name, now_s - came_s)

    def _idle(self) -> Runner | None:
        """The runner that became idle last: its caches are warm, the others may be spared."""
        idle = [r for r in self.runners.values() if r.phase is RunnerPhase.IDLE]
        return max(idle, key=lambda r: r.since_s, default=None)

    def _grow(self, now_s: float) -> list[Command]:
        """One at a time: the next look comes when it is up, or has died."""
        if any(r.phase is RunnerPhase.STARTING for r in self.runners.values()):
            return []
        patient_until_s = next(iter(self.queue.values()), math.inf) + PATIENCE_S
        impatient = now_s >= patient_until_s
        if len(self.runners) <= self.warm or (impatient and len(self.runners) < self.most):
            if now_s < self._not_before_s - CLOCK_STEP_S:
                return self._wake_at(self._not_before_s)
            return [self._start(now_s)]
        return self._wake_at(patient_until_s) if self.queue and not impatient else []

    def _shrink(self, now_s: float) -> list[Command]:
        if len(self.runners) <= self.warm + 1:
            return []
        idle = [r for r in self.runners.values() if r.phase is RunnerPhase.IDLE]
        oldest = min(idle, key=lambda r: r.since_s, default=None)
        if oldest is None or now_s - oldest.since_s < IDLE_TOO_LONG_S:
            return []
        oldest.phase = RunnerPhase.DOOMED
        return [StopRunner(oldest.name)]

    def _start(self, now_s: float) -> StartRunner:
        self._number += 1
        name = f"{RUNNER_PREFIX}{self._number}"
        self.runners[name] = Runner(name, RunnerPhase.STARTING, now_s, now_s)
        return StartRunner(name)
