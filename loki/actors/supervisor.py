"""The root of the tree: performs what `loki.core.supervision` decides, and tells how all fare."""

from collections.abc import Callable, Mapping

import msgspec

from loki.actors.event_log import EventKeeper
from loki.actors.lifeline import kill
from loki.actors.role import Context, Handler, Shell
from loki.actors.shell import ParentRole
from loki.core import supervision
from loki.core.supervision import ChildRecord, ChildSpec, Event, Phase, Tree
from loki.messages.envelope import Message
from loki.messages.lifecycle import (
    Boot,
    ChildrenListed,
    ChildState,
    ChildStatus,
    DescribeChildren,
    Ended,
    Ready,
    Stop,
    SystemFailed,
    SystemUp,
)
from loki.messages.tree import RootConfig

STATE_OF_PHASE = {
    Phase.WAITING: ChildState.STARTING,
    Phase.STARTING: ChildState.STARTING,
    Phase.UP: ChildState.UP,
    Phase.DELAYED: ChildState.RESTARTING,
    Phase.STOPPING: ChildState.DOWN,
    Phase.STOPPED: ChildState.DOWN,
}


class Supervisor(ParentRole):
    """LokiActor."""

    starter = "starter"

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._plan = msgspec.msgpack.decode(config, type=RootConfig)
        self._actors = {actor.name: actor for actor in self._plan.actors}
        self._details: dict[str, str] = {}
        self._stopped: Callable[[], None] = lambda: None
        self._keeper = EventKeeper(shell, lambda context: self._is_child(context.peer, context))
        self._tree = Tree(
            tuple(supervision.ChildRecord(ChildSpec(a.name)) for a in self._plan.actors)
        )

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            Ready: self._ready,
            Ended: self._ended,
            DescribeChildren: self._describe,
            **self._keeper.handlers(),
        }

    def started(self) -> None:
        self._step(supervision.Begin())

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        self._stopped = done
        self._step(supervision.StopAll(grace_s))

    def child_exited(self, name: str, incarnation: int) -> None:
        self._step(supervision.Exited(name, incarnation))

    def lost(self, peer: str, pid: int) -> None:
        """A lane's EOF is an earlier notice of death than Thespian's."""
        self._keeper.lost(peer, pid)
        if peer in self._actors:
            record = self._tree.child(peer)
            if pid and record.pid == pid:
                kill(pid)
                self._step(supervision.Exited(peer, record.incarnation))

    def _ready(self, ready: Ready, context: Context) -> None:
        if not self._is_child(ready.name, context):
            return
        self._details[ready.name] = ready.detail
        self._step(supervision.Started(ready.name, ready.incarnation, context.peer_pid))

    def _ended(self, ended: Ended, context: Context) -> None:
        if not self._is_child(ended.name, context):
            return
        self._step(supervision.Dying(ended.name, ended.incarnation, ended.reason))

    def _is_child(self, name: str, context: Context) -> bool:
        """Whether the kernel agrees: anybody can say so."""
        return name in self._actors and self._tree.child(name).pid == context.peer_pid

    def _step(self, event: Event) -> None:
        self._tree, commands = supervision.step(self._tree, event, self.shell.clock.monotonic_s())
        for command in commands:
            self._perform(command)
        self._keeper.children_are(self._children())

    def _perform(self, command: supervision.Command) -> None:
        match command:
            case supervision.StartChild(name, incarnation):
                self._start(name, incarnation)
            case supervision.StopChild(name, grace_s):
                self.shell.send(name, Stop(grace_s=grace_s))
            case supervision.KillChild(_, pid):
                kill(pid)
            case supervision.WakeAt(when_s):
                delay_s = max(0.0, when_s - self.shell.clock.monotonic_s())
                self.shell.later(delay_s, lambda: self._step(supervision.Tick()))
            case supervision.ReportUp():
                self.shell.send(self.starter, SystemUp(details=self._details))
            case supervision.GiveUp(name, reason):
                self.shell.send(self.starter, SystemFailed(name=name, reason=reason))
            case supervision.ReportStopped():
                self._stopped()

    def _start(self, name: str, incarnation: int) -> None:
        actor = self._actors[name]
        boot = Boot(
            name=name,
            parent=self.shell.name,
            role=actor.role,
            incarnation=incarnation,
            run_dir=self._plan.run_dir,
            config=actor.config,
            previous=self._details.get(name, ""),
        )
        pid = self.family.spawn(boot)
        self._step(supervision.Spawned(name, incarnation, pid))

    def _describe(self, _request: DescribeChildren, _context: Context) -> ChildrenListed:
        return ChildrenListed(children=self._children())

    def _children(self) -> tuple[ChildStatus, ...]:
        now_s = self.shell.clock.monotonic_s()
        running = [self._status(record, now_s) for record in self._tree.children]
        disabled = [
            ChildStatus(name=name, state=ChildState.DISABLED) for name in self._plan.disabled
        ]
        return tuple(running + disabled)

    def _status(self, record: ChildRecord, now_s: float) -> ChildStatus:
        actor = self._actors[record.spec.name]
        return ChildStatus(
            name=actor.name,
            service=actor.service,
            state=STATE_OF_PHASE[record.phase],
            pid=record.pid,
            incarnation=record.incarnation,
            restarts=record.restarts,
            last_error=record.last_error,
            uptime_s=now_s - record.since_s if record.phase is Phase.UP else 0.0,
            address=actor.address,
        )
