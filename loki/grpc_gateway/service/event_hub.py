"""The root's event log as the gateway holds it, and the clients that watch it.

Theory of operation. The gateway subscribes once at the root, whoever watches: it takes over the
whole log, then one event after the other, which come numbered. A hole in the numbers, or the loss
of the root, makes it subscribe anew; what it has not told yet goes to the watches then. A watch
starts from this copy, and what a client does not read is bounded.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from loki.actors.door.role import Context, Handler, Shell
from loki.core.backlog import Backlog
from loki.core.place import Places
from loki.core.supervisor.child_change import change_of
from loki.core.supervisor.event_log import EventLog, Recall, kind_of
from loki.core.supervisor.health import health
from loki.errors import ErrorCode, PermissionRefused, ServiceUnavailable
from loki.grpc_gateway.service.health import Health
from loki.messages.envelope import Failure, Message
from loki.messages.event import (
    ChildChanged,
    Event,
    EventKind,
    EventRecorded,
    EventsRecalled,
    Fact,
    SubscribeEvents,
)
from loki.messages.lifecycle import ROOT, ChildState

SUBSCRIBE_TIMEOUT_S = 2.0
RETRY_S = 0.2
MOST_WATCHES = 64
MOST_WAITING = 256
"""Events that one client has not read."""


class Watch:
    """What one client is told."""

    def __init__(
        self,
        kinds: frozenset[EventKind],
        recall: Recall,
        last: int,
        log_id: str,
        hears: Callable[[Fact], bool],
    ) -> None:
        self.kinds = kinds
        self._hears = hears
        self.recall = recall
        self.last = last
        self.log_id = log_id
        self._backlog: Backlog[Event] = Backlog(MOST_WAITING)
        self._news = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        if (not self.kinds or kind_of(event) in self.kinds) and self._hears(event.fact):
            self._backlog.put(event)
            self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def next(self) -> tuple[Event, int]:
        """The next event and how many were lost just before it.

        Raises: ServiceUnavailable (DRAINING) at the end.
        """
        while not self._backlog:
            if self._ended:
                raise ServiceUnavailable("Loki is stopping", code=ErrorCode.DRAINING)
            self._news.clear()
            await self._news.wait()
        return self._backlog.take()


class EventHub:
    """Every watch of this gateway."""

    def __init__(self, shell: Shell, board: Health, whole: Iterable[str]) -> None:
        """`whole` are the names under which Loki as a whole is asked for its health."""
        self._shell = shell
        self._board = board
        self._whole = tuple(whole)
        self._log: EventLog | None = None
        self._states: dict[str, ChildState] = {}
        self._asking = False
        self._answered = asyncio.Event()
        self._watches: set[Watch] = set()
        self._places = Places(MOST_WATCHES, "watch events")
        self._draining = False

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {EventRecorded: self._recorded}

    async def begin(self) -> None:
        """Subscribe, and wait for the first answer, good or bad."""
        self._subscribe()
        await self._answered.wait()

    def lost(self, peer: str) -> None:
        if peer == ROOT:
            self._connected(connected=False)
            self._shell.later(RETRY_S, self._subscribe)

    def _subscribe(self) -> None:
        if not self._asking:
            self._asking = True
            self._shell.request(
                ROOT, SubscribeEvents(), self._subscribed, timeout_s=SUBSCRIBE_TIMEOUT_S
            )

    def _subscribed(self, reply: EventsRecalled | Failure) -> None:
        self._asking = False
        self._answered.set()
        if isinstance(reply, Failure):
            self._shell.log.warning("no events: %s", reply.message)
            self._connected(connected=False)
            self._shell.later(RETRY_S, self._subscribe)
            return
        old, self._log = (
            self._log,
            EventLog.copy_of(reply.log_id, reply.last, reply.events, reply.forgotten),
        )
        self._states = {change_of(child).child: child.state for child in reply.children}
        self._connected(connected=True)
        if old is not None:
            for event in self._log.since(old.last, log_id=old.log_id).events:
                self._tell(event)

    def _recorded(self, message: EventRecorded, context: Context) -> None:
        if not context.kin or context.peer != ROOT:
            raise PermissionRefused("only the root tells of events", code=ErrorCode.ROLE)
        event = message.event
        if self._log is None or event.sequence <= self._log.last:
            return
        if event.sequence > self._log.last + 1:
            self._subscribe()
            return
        self._log.keep(event)
        if isinstance(event.fact, ChildChanged):
            self._states[event.fact.child] = event.fact.state
            self._connected(connected=True)
        self._tell(event)

    def _connected(self, *, connected: bool) -> None:
        self._board.set(health(self._states, connected=connected, whole=self._whole))

    def _tell(self, event: Event) -> None:
        for watch in self._watches:
            watch.put(event)

    @contextmanager
    def watch(
        self,
        kinds: frozenset[EventKind],
        after: int,
        log_id: str,
        *,
        include_recent: bool,
        holder: str = "",
        hears: Callable[[Fact], bool] = lambda _fact: True,
    ) -> Iterator[Watch]:
        """A place among those who are told; no kinds are all, and `hears` picks among them.

        `holder` is who watches.

        Raises: ServiceUnavailable; ResourceLimitExceeded (QUOTA).
        """
        log = self._require_log()
        recall = log.begin(after, log_id, kinds, include_recent=include_recent)
        heard = tuple(event for event in recall.events if hears(event.fact))
        recall = replace(recall, events=heard)
        watch = Watch(kinds, recall, log.last, log.log_id, hears)
        with self._places.taken(holder):
            self._watches.add(watch)
            try:
                yield watch
            finally:
                self._watches.discard(watch)

    def _require_log(self) -> EventLog:
        if self._draining:
            raise ServiceUnavailable("Loki is stopping", code=ErrorCode.DRAINING)
        if self._log is None:
            raise ServiceUnavailable("the event log cannot be reached; try again")
        return self._log

    def close(self) -> None:
        """End every watch, and start none any more."""
        self._draining = True
        for watch in self._watches:
            watch.end()
