"""Which child is started, restarted or stopped, and when: one_for_one, in order.

Theory of operation. Children start left to right, each after the one before is up, and stop right
to left. If a child cannot start at first, the whole start fails. Later a crashed child restarts at
once; one that keeps dying young restarts after a growing delay. One that takes too long to start
or to stop is killed, and counts as gone at once: the kernel lets it do nothing more. A child may
take half of what is left of the time to stop, so that one that hangs leaves some to the others.
Events name the incarnation they speak of: a doubled or late notice of an old one changes nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

YOUNG_S = 1.0
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0


class Phase(Enum):
    WAITING = "waiting"  # For its turn in the first start.
    STARTING = "starting"
    UP = "up"
    DELAYED = "delayed"  # Died young, restarts later.
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    name: str
    start_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ChildRecord:
    spec: ChildSpec
    phase: Phase = Phase.WAITING
    incarnation: int = 0
    pid: int = 0
    since_s: float = 0.0  # Of the phase.
    due_s: float = math.inf  # When the phase has to end.
    last_word: str = ""  # Of this incarnation.
    restarts: int = 0
    early_deaths: int = 0  # In a row.
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """All children of one supervisor, in start order."""

    children: tuple[ChildRecord, ...]
    complete: bool = False  # Every child has been up once.
    stopping: bool = False
    stop_by_s: float = math.inf

    def child(self, name: str) -> ChildRecord:
        return next(child for child in self.children if child.spec.name == name)


@dataclass(frozen=True, slots=True)
class Begin:
    """Start them all."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """StartChild was performed; `pid` is 0 when there is no process."""

    name: str
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class Started:
    name: str
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class Dying:
    """A child's last word, before its exit."""

    name: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Some time that a WakeAt asked for has come."""


@dataclass(frozen=True, slots=True)
class StopAll:
    grace_s: float


Event: TypeAlias = Begin | Spawned | Started | Dying | Exited | Tick | StopAll


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
class WakeAt:
    when_s: float


@dataclass(frozen=True, slots=True)
class ReportUp:
    """The first start is complete."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The first start failed."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportStopped:
    """Every child is gone."""


Command: TypeAlias = StartChild | StopChild | KillChild | WakeAt | ReportUp | GiveUp | ReportStopped
Decision: TypeAlias = tuple[Tree, tuple[Command, ...]]


def step(tree: Tree, event: Event, now_s: float) -> Decision:
    """What becomes of the tree, and what its supervisor has to do."""
    match event:
        case Begin():
            return _start_next(tree, now_s)
        case Spawned(name, incarnation, pid):
            return _current(
                tree, name, incarnation, lambda c: (_put(tree, replace(c, pid=pid)), ())
            )
        case Started(name, incarnation, pid):
            return _current(tree, name, incarnation, lambda c: _started(tree, c, pid, now_s))
        case Dying(name, incarnation, reason):
            return _current(
                tree, name, incarnation, lambda c: (_put(tree, replace(c, last_word=reason)), ())
            )
        case Exited(name, incarnation):
            return _current(tree, name, incarnation, lambda c: _exited(tree, c, now_s))
        case Tick():
            return _tick(tree, now_s)
        case StopAll(grace_s):
            stop_by_s = min(tree.stop_by_s, now_s + grace_s)
            return _stop_next(replace(tree, stopping=True, stop_by_s=stop_by_s), now_s)


def _put(tree: Tree, child: ChildRecord) -> Tree:
    children = tuple(child if c.spec.name == child.spec.name else c for c in tree.children)
    return replace(tree, children=children)


def _current(
    tree: Tree, name: str, incarnation: int, decide: Callable[[ChildRecord], Decision]
) -> Decision:
    """Decide about a child, unless the event speaks of one that was replaced long ago."""
    for child in tree.children:
        alive = child.phase in (Phase.STARTING, Phase.UP, Phase.STOPPING)
        if child.spec.name == name and child.incarnation == incarnation and alive:
            return decide(child)
    return tree, ()


def _start(tree: Tree, child: ChildRecord, now_s: float) -> Decision:
    started = replace(
        child,
        phase=Phase.STARTING,
        incarnation=child.incarnation + 1,
        since_s=now_s,
        due_s=now_s + child.spec.start_timeout_s,
        last_word="",
    )
    commands = (StartChild(child.spec.name, started.incarnation), WakeAt(started.due_s))
    return _put(tree, started), commands


def _start_next(tree: Tree, now_s: float) -> Decision:
    waiting = [child for child in tree.children if child.phase is Phase.WAITING]
    if waiting:
        return _start(tree, waiting[0], now_s)
    if tree.complete:
        return tree, ()
    return replace(tree, complete=True), (ReportUp(),)


def _started(tree: Tree, child: ChildRecord, pid: int, now_s: float) -> Decision:
    if child.phase is Phase.STOPPING:  # It may not have heard of that.
        stop = StopChild(child.spec.name, max(0.0, child.due_s - now_s))
        return _put(tree, replace(child, pid=pid)), (stop,)
    if child.phase is not Phase.STARTING:
        return tree, ()
    tree = _put(tree, replace(child, phase=Phase.UP, pid=pid, since_s=now_s, due_s=math.inf))
    return (tree, ()) if tree.complete else _start_next(tree, now_s)


def _exited(tree: Tree, child: ChildRecord, now_s: float) -> Decision:
    reason = child.last_word or "killed"
    gone = replace(child, phase=Phase.STOPPED, pid=0, due_s=math.inf, last_error=reason)
    if tree.stopping:
        return _stop_next(_put(tree, gone), now_s)
    if not tree.complete:
        return _put(tree, gone), (GiveUp(child.spec.name, reason),)
    young = child.phase is Phase.STARTING or now_s - child.since_s < YOUNG_S
    deaths = child.early_deaths + 1 if young else 0
    gone = replace(gone, restarts=child.restarts + 1, early_deaths=deaths)
    if deaths <= 1:
        return _start(tree, gone, now_s)
    due_s = now_s + delay_s(deaths)
    delayed = replace(gone, phase=Phase.DELAYED, since_s=now_s, due_s=due_s)
    return _put(tree, delayed), (WakeAt(due_s),)


def delay_s(early_deaths: int) -> float:
    """Seconds before the restart of a child that died young so often in a row (> 1)."""
    return min(FIRST_DELAY_S * 2.0 ** min(early_deaths - 2, 16), LONGEST_DELAY_S)


def _tick(tree: Tree, now_s: float) -> Decision:
    commands: tuple[Command, ...] = ()
    for name in [child.spec.name for child in tree.children if now_s >= child.due_s]:
        tree, more = _due(tree, tree.child(name), now_s)
        commands += more
    return tree, commands


def _due(tree: Tree, child: ChildRecord, now_s: float) -> Decision:
    if child.phase is Phase.DELAYED:
        return (tree, ()) if tree.stopping else _start(tree, child, now_s)
    verb = "start" if child.phase is Phase.STARTING else "stop"
    late = replace(child, last_word=f"did not {verb} in time")
    tree, commands = _exited(tree, late, now_s)
    return tree, (KillChild(child.spec.name, child.pid), *commands)


def _stop_next(tree: Tree, now_s: float) -> Decision:
    """Stop the last child that is alive; those before it have to serve it until it is gone."""
    for child in reversed(tree.children):
        if child.phase is Phase.STOPPING:
            return tree, ()
        if child.phase in (Phase.STARTING, Phase.UP):
            grace_s = max(0.0, tree.stop_by_s - now_s) / 2
            stopping = replace(child, phase=Phase.STOPPING, since_s=now_s, due_s=now_s + grace_s)
            stop = StopChild(child.spec.name, grace_s)
            return _put(tree, stopping), (stop, WakeAt(stopping.due_s))
    return tree, (ReportStopped(),)
