"""Which child is started, stopped, killed or restarted, and when a supervisor gives up.

Theory of operation. An event only notes what it says: a child is up, is gone, has to stop, is
wanted again. What follows from the notes is decided in one place, `_advance`: those that have to
stop are stopped from right to left, one after the other; those that are wanted are started from
left to right, each when those that it depends on are up. So whatever happens in the middle of a
restart, another death, a request, the end, only adds notes. A child is started only after its
last incarnation is known to be gone, and events of an incarnation that is not the current one are
about the past: they change nothing.

A death that calls for a restart counts. More than `intensity` of them within `period_s`, and the
supervisor stops its children and ends, for its own supervisor to decide. A child with a back-off
counts for itself: it is out of service for a while, and the others live on.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from loki.core.supervisor.request import answer_all, refused, take_request
from loki.core.supervisor.restart import restart, significant
from loki.core.supervisor.spec import ChildSpec, Restart, Strategy, SupervisorSpec
from loki.core.supervisor.state import (
    Agreed,
    Answered,
    Begin,
    Child,
    Command,
    Decision,
    Dying,
    End,
    Event,
    Exited,
    KillChild,
    Life,
    Phase,
    PingChild,
    Refusal,
    Refused,
    Reply,
    ReportUp,
    Spawned,
    StartChild,
    Started,
    StopAll,
    StopChild,
    Supervisor,
    Tick,
    WakeAt,
    Wish,
    is_normal,
    vanishes,
)

__all__ = ["ChildSpec", "Supervisor", "SupervisorSpec", "step"]

ANY_WISH = tuple(Wish)


def step(supervisor: Supervisor, event: Event, now_s: float) -> Decision:
    """What becomes of the supervisor, and what has to be done. `now_s` is monotonic."""
    supervisor, noted = _note(supervisor, event, now_s)
    supervisor, commands = _advance(supervisor, now_s)
    return supervisor, noted + commands


def _note(supervisor: Supervisor, event: Event, now_s: float) -> Decision:
    match event:
        case Begin():
            return _begin(supervisor, now_s)
        case Spawned(name, incarnation, pid):
            return _current(supervisor, name, incarnation, lambda c: _spawned(supervisor, c, pid))
        case Started(name, incarnation, pid):
            return _current(
                supervisor, name, incarnation, lambda c: _started(supervisor, c, pid, now_s)
            )
        case Answered(name, incarnation, trouble):
            return _current(
                supervisor, name, incarnation, lambda c: _heard(supervisor, c, trouble, now_s)
            )
        case Dying(name, incarnation, reason):
            return _current(
                supervisor,
                name,
                incarnation,
                lambda c: (supervisor.put(replace(c, last_word=reason)), ()),
            )
        case Exited(name, incarnation, reason):
            return _current(
                supervisor, name, incarnation, lambda c: _exited(supervisor, c, reason, now_s)
            )
        case Tick():
            return _tick(supervisor, now_s)
        case StopAll(grace_s):
            stop_by_s = min(supervisor.stop_by_s, now_s + grace_s + supervisor.spec.drain_s)
            grace_s = min(supervisor.grace_s, grace_s)
            told = replace(supervisor, stop_by_s=stop_by_s, grace_s=grace_s)
            return told.ending("shutdown"), ()
        case _:
            return take_request(supervisor, event)


def _current(
    supervisor: Supervisor, name: str, incarnation: int, note: Callable[[Child], Decision]
) -> Decision:
    """Note something of a child, unless the event speaks of one that was replaced long ago."""
    child = supervisor.find(name)
    if child is None or not child.alive or child.incarnation != incarnation:
        return supervisor, ()
    return note(child)


def _begin(supervisor: Supervisor, now_s: float) -> Decision:
    children = tuple(replace(child, phase=Phase.WAITING) for child in supervisor.children)
    supervisor = replace(supervisor, children=children, life=Life.BOOTING)
    if not supervisor.spec.heartbeat_s:
        return supervisor, ()
    beat_s = now_s + supervisor.spec.heartbeat_s
    return replace(supervisor, beat_s=beat_s), (WakeAt(beat_s),)


def _spawned(supervisor: Supervisor, child: Child, pid: int) -> Decision:
    """It may have been doomed before anybody knew its pid."""
    doomed = (KillChild(child.spec.name, pid),) if child.killed else ()
    return supervisor.put(replace(child, pid=pid)), doomed


def _started(supervisor: Supervisor, child: Child, pid: int, now_s: float) -> Decision:
    child = replace(child, pid=pid, heard_s=now_s)
    if child.phase is Phase.STOPPING and not child.killed:  # It may not have heard of that.
        stop = StopChild(child.spec.name, max(0.0, child.due_s - now_s))
        return supervisor.put(child), (stop,)
    if child.phase is not Phase.STARTING or child.killed:
        return supervisor.put(child), ()
    up = replace(child, phase=Phase.UP, since_s=now_s, due_s=math.inf, been_up=True)
    return answer_all(supervisor.put(up), up, (Wish.START, Wish.RESTART, Wish.UP), Agreed(pid))


def _heard(supervisor: Supervisor, child: Child, trouble: str, now_s: float) -> Decision:
    if child.phase is not Phase.UP or child.killed:
        return supervisor, ()
    heard = replace(child, unanswered=0, heard_s=now_s, due_s=math.inf, trouble=trouble)
    return supervisor.put(heard), ()


# Ends.


def _exited(supervisor: Supervisor, child: Child, reason: str, now_s: float) -> Decision:
    reason = child.last_word or reason
    up_s = now_s - child.since_s if child.phase is Phase.UP else 0.0
    gone = replace(
        child,
        phase=Phase.IDLE,
        pid=0,
        since_s=now_s,
        due_s=math.inf,
        stop=False,
        again=False,
        killed=False,
        unanswered=0,
        trouble="",
        last_word="",
        last_reason=reason,
    )
    if supervisor.life is Life.ENDING:
        return supervisor.put(gone), ()
    if child.stop:
        return _stopped(supervisor, gone, again=child.again)
    if child.phase is Phase.STARTING:
        return _start_failed(supervisor, gone, now_s)
    return _died(supervisor, gone, up_s, now_s)


def _stopped(supervisor: Supervisor, gone: Child, *, again: bool) -> Decision:
    """As we wanted it."""
    supervisor, stopped = answer_all(supervisor, gone, (Wish.STOP,), Agreed())
    if vanishes(gone, supervisor.spec):
        supervisor = supervisor.drop(gone.spec.name)
    elif again:
        return supervisor.put(replace(gone, phase=Phase.WAITING)), stopped
    else:
        supervisor = supervisor.put(gone)
    answer = refused(Refusal.STOPPED, gone.spec.name)
    supervisor, refusals = answer_all(supervisor, gone, ANY_WISH, answer)
    return supervisor, stopped + refusals


def _start_failed(supervisor: Supervisor, gone: Child, now_s: float) -> Decision:
    name = gone.spec.name
    text = f"{name!r} cannot start: {gone.last_reason}"
    asked = {asker.wish for asker in supervisor.askers if asker.name == name}
    failure = Refused(Refusal.START_FAILED, text)
    supervisor, replies = answer_all(supervisor, gone, ANY_WISH, failure)
    if Wish.START in asked:
        return supervisor.drop(name), replies
    if gone.spec.backoff is None:
        if Wish.RESTART in asked:
            return supervisor.put(gone), replies
        if supervisor.life is Life.BOOTING and not gone.been_up:
            return supervisor.put(gone).ending(gone.last_reason, failed=name), replies
    supervisor, commands = restart(supervisor, gone, 0.0, now_s)
    return supervisor, replies + commands


def _died(supervisor: Supervisor, gone: Child, up_s: float, now_s: float) -> Decision:
    """By itself, or because it hung."""
    spec = gone.spec
    if spec.restart is Restart.TEMPORARY:
        return significant(supervisor.drop(spec.name), gone), ()
    if spec.restart is Restart.TRANSIENT and is_normal(gone.last_reason):
        left = (
            supervisor.drop(spec.name) if vanishes(gone, supervisor.spec) else supervisor.put(gone)
        )
        return significant(left, gone), ()
    return restart(supervisor, gone, up_s, now_s)


# Time.


def _tick(supervisor: Supervisor, now_s: float) -> Decision:
    commands: tuple[Command, ...] = ()
    for child in supervisor.children:
        if now_s >= child.due_s:
            supervisor, more = _due(supervisor, child, now_s)
            commands += more
    if now_s >= supervisor.beat_s:
        supervisor, more = _beat(supervisor, now_s)
        commands += more
    return supervisor, commands


def _due(supervisor: Supervisor, child: Child, now_s: float) -> Decision:
    match child.phase:
        case Phase.DELAYED:
            wanted = replace(child, phase=Phase.WAITING, due_s=math.inf)
            return supervisor.put(wanted), ()
        case Phase.STARTING:
            reason = f"did not start within {child.spec.start_timeout_s:g} s"
        case Phase.STOPPING:
            reason = "did not stop in time"
        case _:
            reason = f"hung: did not answer for {now_s - child.heard_s:.1f} s"
    return _kill(supervisor, child, reason)


def _kill(supervisor: Supervisor, child: Child, reason: str) -> Decision:
    """Its exit is still to come: until then there may be a process."""
    doomed = replace(child, killed=True, due_s=math.inf, last_word=reason)
    return supervisor.put(doomed), (KillChild(child.spec.name, child.pid),)


def _beat(supervisor: Supervisor, now_s: float) -> Decision:
    """Ask all who are up. The last unanswered heartbeat is given half an interval."""
    heartbeat_s = supervisor.spec.heartbeat_s
    beat_s = now_s + heartbeat_s
    supervisor, commands = replace(supervisor, beat_s=beat_s), [WakeAt(beat_s)]
    pings: list[Command] = []
    for child in supervisor.children:
        if child.phase is not Phase.UP or child.killed or not child.spec.missed_heartbeats:
            continue
        asked = replace(child, unanswered=child.unanswered + 1)
        if asked.unanswered == child.spec.missed_heartbeats:
            asked = replace(asked, due_s=now_s + heartbeat_s / 2)
            commands.append(WakeAt(asked.due_s))
        supervisor = supervisor.put(asked)
        pings.append(PingChild(child.spec.name, child.incarnation))
    return supervisor, (*pings, *commands)


# What follows.


def _advance(supervisor: Supervisor, now_s: float) -> Decision:
    if supervisor.life in (Life.NEW, Life.ENDED):
        return supervisor, ()
    supervisor, commands = _stop_next(supervisor, now_s)
    if supervisor.life is Life.ENDING:
        return _end(supervisor, commands)
    for child in _startable(supervisor):
        supervisor, more = _start(supervisor, child, now_s)
        commands += more
    pending = (Phase.WAITING, Phase.STARTING)
    if supervisor.life is Life.BOOTING and not any(c.phase in pending for c in supervisor.children):
        return replace(supervisor, life=Life.RUNNING), (*commands, ReportUp())
    return supervisor, commands


def _stop_next(supervisor: Supervisor, now_s: float) -> Decision:
    """The last of those that have to; the ones before it serve it until it is gone."""
    ending = supervisor.life is Life.ENDING
    doomed: Iterable[Child] = [c for c in supervisor.children if c.alive and (c.stop or ending)]
    if supervisor.spec.strategy is not Strategy.DYNAMIC:
        doomed = list(doomed)[-1:]
    commands: tuple[Command, ...] = ()
    for child in doomed:
        if child.phase is not Phase.STOPPING:
            supervisor, more = _begin_stop(supervisor, child, now_s)
            commands += more
    return supervisor, commands


def _begin_stop(supervisor: Supervisor, child: Child, now_s: float) -> Decision:
    """At the end one may take half of the time that is left: if it hangs, others need some.

    What one has to drain is its alone, and what it does not need of that is nobody's.
    """
    left_s = max(0.0, supervisor.stop_by_s - now_s)
    share_s = min(left_s, supervisor.grace_s) / 2
    grace_s = min(left_s, min(child.spec.shutdown_s, share_s) + child.spec.drain_s)
    stopping = replace(child, phase=Phase.STOPPING, stop=True, since_s=now_s)
    if child.killed:
        return supervisor.put(stopping), ()
    if not child.spec.shutdown_s:
        return _kill(supervisor, stopping, "killed by its supervisor")
    stopping = replace(stopping, due_s=now_s + grace_s)
    wake = () if stopping.due_s == math.inf else (WakeAt(stopping.due_s),)
    return supervisor.put(stopping), (StopChild(child.spec.name, grace_s), *wake)


def _startable(supervisor: Supervisor) -> list[Child]:
    """Whose turn it is."""
    waiting = [child for child in supervisor.children if child.phase is Phase.WAITING]
    if supervisor.spec.grouped:
        if any(child.stop for child in supervisor.children):
            return []
        unready = [c for c in supervisor.children if c.phase not in (Phase.UP, Phase.IDLE)]
        return [child for child in waiting if child is unready[0]]
    if supervisor.life is Life.BOOTING:
        starting = any(child.phase is Phase.STARTING for child in supervisor.children)
        return [] if starting else waiting[:1]
    return waiting


def _start(supervisor: Supervisor, child: Child, now_s: float) -> Decision:
    started = replace(
        child,
        phase=Phase.STARTING,
        incarnation=child.incarnation + 1,
        since_s=now_s,
        due_s=now_s + child.spec.start_timeout_s,
    )
    commands = (StartChild(child.spec.name, started.incarnation), WakeAt(started.due_s))
    return supervisor.put(started), commands


def _end(supervisor: Supervisor, commands: tuple[Command, ...]) -> Decision:
    """Once all are gone; whoever still waits is told then."""
    if any(child.alive for child in supervisor.children):
        return supervisor, commands
    replies = tuple(
        Reply(asker.number, Agreed() if asker.wish is Wish.STOP else refused(Refusal.ENDING))
        for asker in supervisor.askers
    )
    ended = replace(supervisor, life=Life.ENDED, askers=())
    return ended, (*commands, *replies, End(supervisor.reason, supervisor.failed))
