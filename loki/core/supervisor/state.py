"""A supervisor's memory, and the words between it and what performs its decisions.

Events name the incarnation that they speak of. An asker is a number that the performer chose for
an administrative request; each is answered by exactly one Reply.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from loki.core.supervisor.spec import ChildSpec, Restart, Strategy, SupervisorSpec


class Phase(Enum):
    """Of one child."""

    IDLE = "idle"  # Neither there nor wanted.
    WAITING = "waiting"  # Wanted; starts when its turn comes.
    DELAYED = "delayed"  # Out of service: ended too often, wanted again later.
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


class Life(Enum):
    """Of the supervisor itself."""

    NEW = "new"
    BOOTING = "booting"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Child:
    spec: ChildSpec
    phase: Phase = Phase.IDLE
    incarnation: int = 0
    pid: int = 0
    since_s: float = 0.0  # Of the phase.
    due_s: float = math.inf  # When the phase must have ended.
    been_up: bool = False  # In any incarnation.
    stop: bool = False  # It has to stop,
    again: bool = False  # and to start again when it has.
    killed: bool = False  # We did; its exit is all that is still to come.
    unanswered: int = 0  # Heartbeats in a row.
    heard_s: float = 0.0  # When it was last known to be alive.
    last_word: str = ""  # Of this incarnation.
    last_reason: str = ""  # Why the last one ended.
    trouble: str = ""  # Why it serves less than it should, as it says itself.
    deaths_s: tuple[float, ...] = ()  # Recent ones, where its back-off counts them.
    attempts: int = 0  # Delayed ones, in a row.

    @property
    def alive(self) -> bool:
        """Whether there may be a process."""
        return self.phase in (Phase.STARTING, Phase.UP, Phase.STOPPING)

    @property
    def restarts(self) -> int:
        return max(0, self.incarnation - 1)


class Wish(Enum):
    """What an asker waits for."""

    START = "start"
    RESTART = "restart"
    UP = "up"  # By itself.
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Asker:
    number: int
    name: str  # Of the child.
    wish: Wish


@dataclass(frozen=True, slots=True)
class Supervisor:
    """All that one remembers; its children in start order."""

    spec: SupervisorSpec
    children: tuple[Child, ...]
    life: Life = Life.NEW
    restarts_s: tuple[float, ...] = ()  # When, within the period.
    reason: str = ""  # Why it ends.
    failed: str = ""  # The child that did not come up at first.
    grace_s: float = math.inf  # For its end, without what its children have to drain.
    stop_by_s: float = math.inf
    beat_s: float = math.inf  # When the next heartbeat is due.
    askers: tuple[Asker, ...] = ()
    seed: int = 0

    @classmethod
    def of(cls, spec: SupervisorSpec, seed: int = 0) -> "Supervisor":
        """A new one. `seed` makes the random parts of its delays."""
        dynamic = spec.strategy is Strategy.DYNAMIC
        children = () if dynamic else tuple(Child(child) for child in spec.children)
        return cls(spec, children, seed=seed)

    def find(self, name: str) -> Child | None:
        return next((child for child in self.children if child.spec.name == name), None)

    def child(self, name: str) -> Child:
        """Raises: LookupError."""
        found = self.find(name)
        if found is None:
            raise LookupError(name)
        return found

    def put(self, child: Child) -> "Supervisor":
        """With this record of one that is among the children."""
        name = child.spec.name
        return replace(
            self, children=tuple(child if c.spec.name == name else c for c in self.children)
        )

    def ending(self, reason: str, failed: str = "") -> "Supervisor":
        """From now on it stops its children; the first reason counts."""
        if self.life in (Life.ENDING, Life.ENDED):
            return self
        return replace(self, life=Life.ENDING, reason=reason, failed=failed)

    def drop(self, name: str) -> "Supervisor":
        return replace(self, children=tuple(c for c in self.children if c.spec.name != name))


def is_normal(reason: str) -> bool:
    """Whether a child that ended so did what it was there for."""
    return reason in ("normal", "shutdown") or reason.startswith("shutdown: ")


def vanishes(child: Child, spec: SupervisorSpec) -> bool:
    """Whether its spec goes when it has stopped."""
    return child.spec.restart is Restart.TEMPORARY or spec.strategy is Strategy.DYNAMIC


# Events.


@dataclass(frozen=True, slots=True)
class Begin:
    """Start them all."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """StartChild was performed: there is a process."""

    name: str
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class Started:
    name: str
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A heartbeat. `trouble` is why it serves less than it should, or ""."""

    name: str
    incarnation: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Dying:
    """A child's last word, before its exit: "normal", "shutdown", or what went wrong."""

    name: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """There is no process any more, or none came to be."""

    name: str
    incarnation: int
    reason: str = "killed"  # What is known from outside; its own last word counts for more.


@dataclass(frozen=True, slots=True)
class Tick:
    """Some time that a WakeAt asked for has come."""


@dataclass(frozen=True, slots=True)
class StopAll:
    """End within `grace_s`."""

    grace_s: float


@dataclass(frozen=True, slots=True)
class AskStart:
    """Add a child and start it. A dynamic supervisor takes only the name from `spec`."""

    asker: int
    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class AskStop:
    """Stop a child; its spec stays, unless it is temporary."""

    asker: int
    name: str


@dataclass(frozen=True, slots=True)
class AskRestart:
    """Start a child that was stopped or has ended."""

    asker: int
    name: str


@dataclass(frozen=True, slots=True)
class AskReset:
    """Forget how often a child failed; start it now if it waits for its next attempt."""

    asker: int
    name: str


@dataclass(frozen=True, slots=True)
class AskDelete:
    """Forget a child that is not running."""

    asker: int
    name: str


@dataclass(frozen=True, slots=True)
class AskChildren:
    asker: int


@dataclass(frozen=True, slots=True)
class AskCount:
    asker: int


@dataclass(frozen=True, slots=True)
class AskSpec:
    asker: int
    name: str


@dataclass(frozen=True, slots=True)
class AskLimits:
    """Change how many restarts are too many, from now on."""

    asker: int
    intensity: int
    period_s: float


Request: TypeAlias = (
    AskStart
    | AskStop
    | AskRestart
    | AskReset
    | AskDelete
    | AskChildren
    | AskCount
    | AskSpec
    | AskLimits
)
Event: TypeAlias = Begin | Spawned | Started | Answered | Dying | Exited | Tick | StopAll | Request


# Commands.


class Refusal(Enum):
    NOT_FOUND = "not_found"
    RUNNING = "running"
    RESTARTING = "restarting"
    ALREADY_PRESENT = "already_present"
    ALREADY_STARTED = "already_started"
    START_FAILED = "start_failed"
    STOPPED = "stopped"  # By somebody else, meanwhile.
    ILLEGAL = "illegal"
    ENDING = "ending"  # The supervisor is.


@dataclass(frozen=True, slots=True)
class Agreed:
    """It is done. `pid` is the child's, 0 where it has none."""

    pid: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    refusal: Refusal
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    specs: int
    active: int  # With a process.
    supervisors: int
    workers: int


Answer: TypeAlias = Agreed | Refused | Counts | ChildSpec | tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    asker: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class StartChild:
    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class StopChild:
    name: str
    grace_s: float


@dataclass(frozen=True, slots=True)
class KillChild:
    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class PingChild:
    """Ask whether it is alive; Answered is the answer."""

    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class WakeAt:
    when_s: float


@dataclass(frozen=True, slots=True)
class ReportUp:
    """The first start is complete."""


@dataclass(frozen=True, slots=True)
class End:
    """Every child is gone, and so is the supervisor now."""

    reason: str
    failed: str  # The child that did not come up at first, or "".


Command: TypeAlias = (
    StartChild | StopChild | KillChild | PingChild | WakeAt | Reply | ReportUp | End
)
Decision: TypeAlias = tuple[Supervisor, tuple[Command, ...]]
