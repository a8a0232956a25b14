"""The root's part in system events: it keeps the log, which so outlives every gateway."""

import secrets
from collections.abc import Callable, Iterable, Mapping

from loki.actors.door.role import Context, Handler, Shell
from loki.core.supervisor.child_change import changes
from loki.core.supervisor.event_log import EventLog
from loki.errors import ErrorCode, PermissionRefused, ResourceLimitExceeded
from loki.messages.envelope import Message
from loki.messages.event import (
    EventHappened,
    EventRecorded,
    EventsRecalled,
    Fact,
    SubscribeEvents,
)
from loki.messages.lifecycle import ChildStatus


class EventKeeper:
    """Hears of events from the root's children, and tells them on to whoever subscribed."""

    def __init__(self, shell: Shell, may_tell: Callable[[Context], bool]) -> None:
        """`may_tell` is of senders, as the kernel knows them."""
        self._shell = shell
        self._may_tell = may_tell
        self._log = EventLog(secrets.token_hex(8))
        self._children: tuple[ChildStatus, ...] = ()
        self._subscribers: dict[str, int] = {}  # Name -> pid.

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {EventHappened: self._happened, SubscribeEvents: self._subscribed}

    def add(self, fact: Fact) -> None:
        """Keep it, and tell the subscribers."""
        event = self._log.record(fact, self._shell.clock.now_ns())
        for name in self._subscribers:
            try:
                self._shell.send(name, EventRecorded(event=event))
            except ResourceLimitExceeded as error:  # It will notice the gap, and ask.
                self._shell.log.warning("event %d: %s", event.sequence, error)

    def children_are(self, children: Iterable[ChildStatus]) -> None:
        """To be called whenever they may have changed."""
        before, self._children = self._children, tuple(children)
        for change in changes(before, self._children):
            self.add(change)

    def lost(self, peer: str, pid: int) -> None:
        """A pid of 0 is whichever had that name."""
        if pid in (0, self._subscribers.get(peer)):
            self._subscribers.pop(peer, None)

    def _happened(self, message: EventHappened, context: Context) -> None:
        self._require_child(context)
        self.add(message.fact)

    def _subscribed(self, _request: SubscribeEvents, context: Context) -> EventsRecalled:
        self._require_child(context)
        self._subscribers[context.peer] = context.peer_pid
        return EventsRecalled(
            log_id=self._log.log_id,
            last=self._log.last,
            events=self._log.since(0).events,
            forgotten=self._log.forgotten,
            children=self._children,
        )

    def _require_child(self, context: Context) -> None:
        if not self._may_tell(context):
            raise PermissionRefused(
                f"{context.peer} is no child of the root, whose events these are",
                code=ErrorCode.ROLE,
            )
