"""What an administrator asks of a supervisor: answered at once, or noted until a child is so far.

Source: OTP, supervisor(3): start_child, terminate_child, restart_child, delete_child,
which_children, count_children, get_childspec. Of our own are reset and the change of limits.
"""

import math
from dataclasses import replace
from typing import assert_never

from loki.core.supervisor.spec import Strategy, check_limits
from loki.core.supervisor.state import (
    Agreed,
    Answer,
    AskChildren,
    AskCount,
    AskDelete,
    Asker,
    AskLimits,
    AskReset,
    AskRestart,
    AskSpec,
    AskStart,
    AskStop,
    Child,
    Counts,
    Decision,
    Life,
    Phase,
    Refusal,
    Refused,
    Reply,
    Request,
    Supervisor,
    Wish,
    vanishes,
)
from loki.errors import ConfigurationError

_REFUSALS = {
    Refusal.NOT_FOUND: "there is no child {name!r}",
    Refusal.RUNNING: "{name!r} is running; stop it first",
    Refusal.RESTARTING: "{name!r} is starting or about to",
    Refusal.ALREADY_PRESENT: "{name!r} is known already and not running; restart or delete it",
    Refusal.ALREADY_STARTED: "{name!r} is running already",
    Refusal.STOPPED: "{name!r} was stopped before it was up",
    Refusal.ENDING: "the supervisor is ending",
}


def refused(refusal: Refusal, name: str = "") -> Refused:
    return Refused(refusal, _REFUSALS[refusal].format(name=name))


def take_request(supervisor: Supervisor, request: Request) -> Decision:
    """Answer, or change what is wanted and remember who waits for it."""
    match request:
        case AskChildren(asker):
            return _answered(supervisor, asker, supervisor.children)
        case AskCount(asker):
            return _answered(supervisor, asker, _counts(supervisor))
        case AskSpec(asker, name):
            child = supervisor.find(name)
            answer = refused(Refusal.NOT_FOUND, name) if child is None else child.spec
            return _answered(supervisor, asker, answer)
        case AskStart() | AskStop() | AskRestart() | AskReset() | AskDelete() | AskLimits():
            if supervisor.life in (Life.ENDING, Life.ENDED):
                return _answered(supervisor, request.asker, refused(Refusal.ENDING))
            return _take_change(supervisor, request)
        case _:
            assert_never(request)


def _take_change(
    supervisor: Supervisor,
    request: AskStart | AskStop | AskRestart | AskReset | AskDelete | AskLimits,
) -> Decision:
    if isinstance(request, AskStart):
        return _start(supervisor, request)
    if isinstance(request, AskLimits):
        return _limit(supervisor, request)
    child = supervisor.find(request.name)
    if child is None:
        return _answered(supervisor, request.asker, refused(Refusal.NOT_FOUND, request.name))
    match request:
        case AskStop():
            return _stop(supervisor, request.asker, child)
        case AskRestart():
            return _restart(supervisor, request.asker, child)
        case AskReset():
            return _reset(supervisor, request.asker, child)
        case AskDelete():
            return _delete(supervisor, request.asker, child)
        case _:
            assert_never(request)


def _answered(supervisor: Supervisor, asker: int, answer: Answer) -> Decision:
    return supervisor, (Reply(asker, answer),)


def _noted(supervisor: Supervisor, asker: int, child: Child, wish: Wish) -> Decision:
    """The answer comes when the child is so far."""
    askers = (*supervisor.askers, Asker(asker, child.spec.name, wish))
    return replace(supervisor.put(child), askers=askers), ()


def _counts(supervisor: Supervisor) -> Counts:
    children = supervisor.children
    supervisors = sum(child.spec.supervisor for child in children)
    return Counts(
        specs=1 if supervisor.spec.strategy is Strategy.DYNAMIC else len(children),
        active=sum(child.alive for child in children),
        supervisors=supervisors,
        workers=len(children) - supervisors,
    )


def _start(supervisor: Supervisor, request: AskStart) -> Decision:
    spec, asker = request.spec, request.asker
    if supervisor.spec.strategy is Strategy.DYNAMIC:
        spec = replace(supervisor.spec.children[0], name=spec.name)
    known = supervisor.find(spec.name)
    if known is not None:
        there = known.phase is not Phase.IDLE
        refusal = Refusal.ALREADY_STARTED if there else Refusal.ALREADY_PRESENT
        return _answered(supervisor, asker, refused(refusal, spec.name))
    try:
        supervisor.spec.check(spec)
    except ConfigurationError as error:
        return _answered(supervisor, asker, Refused(Refusal.ILLEGAL, error.message))
    child = Child(spec, Phase.WAITING)
    grown = replace(supervisor, children=(*supervisor.children, child))
    return _noted(grown, asker, child, Wish.START)


def _stop(supervisor: Supervisor, asker: int, child: Child) -> Decision:
    if child.alive:
        return _noted(supervisor, asker, replace(child, stop=True, again=False), Wish.STOP)
    supervisor, replies = answer_all(
        supervisor,
        child,
        (Wish.START, Wish.RESTART, Wish.UP),
        refused(Refusal.STOPPED, child.spec.name),
    )
    if vanishes(child, supervisor.spec):
        supervisor = supervisor.drop(child.spec.name)
    else:
        supervisor = supervisor.put(replace(child, phase=Phase.IDLE, due_s=math.inf))
    return supervisor, (*replies, Reply(asker, Agreed()))


def _busy(child: Child) -> Refusal | None:
    """Why it can be neither restarted nor deleted now."""
    match child.phase:
        case Phase.IDLE:
            return None
        case Phase.UP:
            return Refusal.RUNNING
        case Phase.STOPPING:
            return Refusal.RESTARTING if child.again else Refusal.RUNNING
        case Phase.WAITING | Phase.DELAYED | Phase.STARTING:
            return Refusal.RESTARTING
        case _:
            assert_never(child.phase)


def _restart(supervisor: Supervisor, asker: int, child: Child) -> Decision:
    busy = _busy(child)
    if busy is not None:
        return _answered(supervisor, asker, refused(busy, child.spec.name))
    return _noted(supervisor, asker, replace(child, phase=Phase.WAITING), Wish.RESTART)


def _reset(supervisor: Supervisor, asker: int, child: Child) -> Decision:
    clean = replace(child, deaths_s=(), attempts=0)
    if child.phase in (Phase.IDLE, Phase.DELAYED):
        clean = replace(clean, phase=Phase.WAITING, due_s=math.inf)
        return _noted(supervisor, asker, clean, Wish.RESTART)
    if child.phase in (Phase.WAITING, Phase.STARTING):
        return _noted(supervisor, asker, clean, Wish.UP)
    return _answered(supervisor.put(clean), asker, Agreed(child.pid))


def _delete(supervisor: Supervisor, asker: int, child: Child) -> Decision:
    busy = _busy(child)
    if busy is not None:
        return _answered(supervisor, asker, refused(busy, child.spec.name))
    return _answered(supervisor.drop(child.spec.name), asker, Agreed())


def _limit(supervisor: Supervisor, request: AskLimits) -> Decision:
    try:
        check_limits(request.intensity, request.period_s)
    except ConfigurationError as error:
        return _answered(supervisor, request.asker, Refused(Refusal.ILLEGAL, error.message))
    spec = replace(supervisor.spec, intensity=request.intensity, period_s=request.period_s)
    return _answered(replace(supervisor, spec=spec), request.asker, Agreed())


def answer_all(
    supervisor: Supervisor, child: Child, wishes: tuple[Wish, ...], answer: Answer
) -> tuple[Supervisor, tuple[Reply, ...]]:
    """Tell those who wait for one of these wishes for a child."""
    told = [a for a in supervisor.askers if a.name == child.spec.name and a.wish in wishes]
    left = tuple(asker for asker in supervisor.askers if asker not in told)
    return replace(supervisor, askers=left), tuple(Reply(a.number, answer) for a in told)
