"""An actor that looks after others: performs what `loki.core.supervisor.supervision` decides.

Theory of operation. Whatever happens becomes an event; events are taken one after the other, also
those that performing a command brings about. An exit is told by the kernel, and only when
everything has been read that the process had said: its last word has the reason.
"""

import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, ClassVar

import msgspec

from loki.actors.base import lifeline
from loki.actors.base.lifeline import kill
from loki.actors.base.shell import ParentRole
from loki.actors.door.role import Context, Handler, Shell
from loki.actors.tree.plan_change import PlanChange
from loki.core.supervisor import state as words
from loki.core.supervisor import supervision
from loki.core.supervisor.child_status import status_of
from loki.core.supervisor.spec import ChildSpec, SupervisorSpec
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded
from loki.messages.envelope import Done, Failure, Message
from loki.messages.lifecycle import (
    Boot,
    ChildrenListed,
    ChildState,
    ChildStatus,
    DescribeChildren,
    Ended,
    Ping,
    Pong,
    Ready,
    Stop,
)
from loki.messages.supervision import (
    ActorRuns,
    ActorsCounted,
    ActorSpecFound,
    ChangePlan,
    CountActors,
    DeleteActor,
    GetActorSpec,
    LimitRestarts,
    PlanChanged,
    ResetActor,
    RestartActor,
    StartActor,
    StopActor,
)
from loki.messages.tree import ActorPlan, SupervisorConfig

PING_TIMEOUT_S = 5.0  # Longer than a hung child is let live.
CODE_OF_REFUSAL = {
    words.Refusal.NOT_FOUND: ErrorCode.NOT_FOUND,
    words.Refusal.START_FAILED: ErrorCode.CHILD_DOWN,
    words.Refusal.ENDING: ErrorCode.DRAINING,
}

_specs = msgspec.msgpack.Decoder(SupervisorSpec)
_child_specs = msgspec.msgpack.Decoder(ChildSpec)
_pack = msgspec.msgpack.Encoder().encode


class Supervisor(ParentRole):
    """One supervisor of the tree. It is ready when all of its children are."""

    ready_by_itself: ClassVar[bool] = True

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self.plan = msgspec.msgpack.decode(config, type=SupervisorConfig)
        self.details: dict[str, str] = {}
        self._actors = {actor.name: actor for actor in self.plan.actors}
        self._state = words.Supervisor.of(_specs.decode(self.plan.spec), seed=os.getpid())
        self._events: deque[words.Event] = deque()
        self._stepping = False
        self._exits: dict[int, words.Exited] = {}  # By pid: its lanes have not ended yet.
        self._asked: dict[int, Future[Any]] = {}
        self._last_asker = 0
        self._stopped: Callable[[], None] | None = None

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            Ready: self._ready,
            Ended: self._ended,
            DescribeChildren: self._describe,
            StartActor: self._start_actor,
            StopActor: self._asks(words.AskStop),
            RestartActor: self._asks(words.AskRestart),
            ResetActor: self._asks(words.AskReset),
            DeleteActor: self._asks(words.AskDelete),
            GetActorSpec: self._asks(words.AskSpec),
            ChangePlan: self._change_plan,
            CountActors: lambda _message, context: self._ask(words.AskCount, context),
            LimitRestarts: lambda message, context: self._ask(
                lambda asker: words.AskLimits(asker, message.intensity, message.period_s), context
            ),
        }

    def started(self) -> None:
        self._happen(words.Begin())

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        self._stopped = done
        self._happen(words.StopAll(grace_s))

    # What happens.

    def child_exited(self, name: str, incarnation: int, reason: str) -> None:
        pid = self._pid_of(name)
        exited = words.Exited(name, incarnation, reason)
        if self.shell.hears(pid):
            self._exits[pid] = exited
        else:
            self._happen(exited)

    def lost(self, peer: str, pid: int) -> None:
        """A child without its lanes is as good as dead, and will be."""
        if pid and self._pid_of(peer) == pid:
            kill(pid)
        exited = self._exits.pop(pid, None)
        if exited is not None:
            self._happen(exited)

    def _pid_of(self, name: str) -> int:
        child = self._state.find(name)
        return 0 if child is None else child.pid

    def _ready(self, ready: Ready, context: Context) -> None:
        if self.is_child(ready.name, context):
            self.details[ready.name] = ready.detail
            self._happen(words.Started(ready.name, ready.incarnation, context.peer_pid))

    def _ended(self, ended: Ended, context: Context) -> None:
        if self.is_child(ended.name, context):
            self._happen(words.Dying(ended.name, ended.incarnation, ended.reason))

    def is_child(self, name: str, context: Context) -> bool:
        """Whether the kernel agrees: anybody can say so."""
        return context.peer_pid != 0 and self._pid_of(name) == context.peer_pid

    def _happen(self, event: words.Event) -> None:
        self._events.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._events:
                event, now_s = self._events.popleft(), self.shell.clock.monotonic_s()
                before, (self._state, commands) = (
                    self._state,
                    supervision.step(self._state, event, now_s),
                )
                self._log_death(event, before)
                self.stepped()
                for command in commands:
                    self._perform(command)
        finally:
            self._stepping = False

    def _log_death(self, event: words.Event, before: words.Supervisor) -> None:
        """Of a child that nobody had told to stop."""
        if not isinstance(event, words.Exited) or before.life is words.Life.ENDING:
            return
        if before.life is words.Life.BOOTING and self._state.life is not words.Life.BOOTING:
            return  # Whoever started us is told why, and tells it.
        child = before.find(event.name)
        if child is not None and child.incarnation == event.incarnation and not child.stop:
            reason = child.last_word or event.reason
            self.shell.log.warning("%s (pid %d) ended: %s", event.name, child.pid, reason)

    def stepped(self) -> None:
        """Something may have changed. What follows from it, such as a fork, is yet to be done."""

    # What follows.

    def _perform(self, command: words.Command) -> None:
        match command:
            case words.StartChild(name, incarnation):
                self._start(name, incarnation)
            case words.StopChild(name, grace_s):
                self._stop(name, grace_s)
            case words.KillChild(_, pid):
                kill(pid)
            case words.PingChild(name, incarnation):
                self._ping(name, incarnation)
            case words.WakeAt(when_s):
                delay_s = max(0.0, when_s - self.shell.clock.monotonic_s())
                self.shell.later(delay_s, lambda: self._happen(words.Tick()))
            case words.Reply(asker, answer):
                self._reply(self._asked.pop(asker), answer)
            case words.ReportUp():
                self.came_up()
            case words.End(reason, failed):
                self._end(reason, failed)

    def _start(self, name: str, incarnation: int) -> None:
        actor = self._actors.get(name) or self.plan.actors[0]  # A dynamic one is of the template.
        boot = Boot(
            name=name,
            parent=self.shell.name,
            role=actor.role,
            incarnation=incarnation,
            run_dir=self.plan.run_dir,
            config=actor.config,
            previous=self.details.get(name, ""),
        )
        pid = self.family.spawn(boot)
        if pid:
            self._happen(words.Spawned(name, incarnation, pid))
        else:
            self._happen(words.Exited(name, incarnation, "its process cannot be forked"))

    def _stop(self, name: str, grace_s: float) -> None:
        try:
            self.shell.send(name, Stop(grace_s=grace_s))
        except ResourceLimitExceeded as error:  # It reads nothing, and will be killed.
            self.shell.log.warning("%s cannot be told to stop: %s", name, error)

    def _ping(self, name: str, incarnation: int) -> None:
        def then(reply: Pong | Failure) -> None:
            if isinstance(reply, Pong):
                self._happen(words.Answered(name, incarnation, reply.trouble))

        self.shell.request(name, Ping(), then, timeout_s=PING_TIMEOUT_S)

    def came_up(self) -> None:
        """The first start is complete."""
        self.shell.ready()

    def failed(self, name: str, reason: str) -> None:
        """The first start failed, and what had started is gone again."""
        self.shell.end(f"{name} cannot start: {reason}")

    def _end(self, reason: str, failed: str) -> None:
        if self._stopped is not None:
            self._stopped()
        elif failed:
            self.failed(failed, reason)
        else:
            self.shell.end(reason)

    # Administration.

    def _start_actor(self, message: StartActor, context: Context) -> Future[Any]:
        spec = _child_specs.decode(message.spec)

        def request(asker: int) -> words.Request:
            if self._state.find(spec.name) is None:
                self._actors[spec.name] = message.actor
            return words.AskStart(asker, spec)

        return self._ask(request, context)

    def _asks(self, request: Callable[[int, str], words.Request]) -> Handler:
        return lambda message, context: self._ask(
            lambda asker: request(asker, message.name), context
        )

    def _ask(self, request: Callable[[int], words.Request], context: Context) -> Future[Any]:
        self._require_administrator(context)
        return self._wait_for(request)

    def _change_plan(self, message: ChangePlan, context: Context) -> Future[PlanChanged]:
        """Other configurations for the same children, and other limits."""
        self._require_administrator(context)
        known = self._actors
        changed = [each for each in message.plan.actors if known.get(each.name, each) != each]
        self._actors = {**known, **{each.name: each for each in changed}}
        spec = _specs.decode(message.plan.spec)
        self._wait_for(lambda asker: words.AskLimits(asker, spec.intensity, spec.period_s))
        change = PlanChange(
            self.shell, changed, lambda name: self._state.child(name).phase, self._wait_for
        )
        change.begin()
        return change.promise

    def _require_administrator(self, context: Context) -> None:
        """The family or the starter; no runner is of this family. Raises: PermissionRefused."""
        known = {lifeline.starter_pid(), *(child.pid for child in self._state.children)} - {0}
        if context.peer_pid not in known:
            context.require_kin("only Loki itself administers it")

    def _wait_for(self, request: Callable[[int], words.Request]) -> Future[Any]:
        self._last_asker += 1
        promise = self._asked[self._last_asker] = Future()
        self._happen(request(self._last_asker))
        return promise

    def _reply(self, promise: Future[Any], answer: words.Answer) -> None:
        match answer:
            case words.Agreed(0):
                promise.set_result(Done())
            case words.Agreed(pid):
                promise.set_result(ActorRuns(pid=pid))
            case words.Refused(refusal, text):
                code = CODE_OF_REFUSAL.get(refusal, ErrorCode.CONFIGURATION)
                error = LokiError(text, code=code, details={"refusal": refusal.value})
                promise.set_exception(error)
            case words.Counts(specs, active, supervisors, workers):
                counted = ActorsCounted(
                    specs=specs, active=active, supervisors=supervisors, workers=workers
                )
                promise.set_result(counted)
            case ChildSpec():
                promise.set_result(ActorSpecFound(spec=msgspec.Raw(_pack(answer))))
            case _:
                promise.set_result(ChildrenListed(children=self.statuses()))

    def _describe(self, _request: DescribeChildren, _context: Context) -> Future[Any]:
        return self._wait_for(words.AskChildren)

    def statuses(self) -> tuple[ChildStatus, ...]:
        """How each child fares, in start order."""
        now_s = self.shell.clock.monotonic_s()
        running = tuple(
            status_of(child, self._plan_of(child), self.shell.name, now_s)
            for child in self._state.children
        )
        disabled = tuple(
            ChildStatus(name=name, state=ChildState.DISABLED, supervisor=self.shell.name)
            for name in self.plan.disabled
        )
        return running + disabled

    def _plan_of(self, child: words.Child) -> ActorPlan:
        return self._actors.get(child.spec.name) or self.plan.actors[0]
