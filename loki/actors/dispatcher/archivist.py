"""Brings the history of executions to the child that keeps it, and asks that child for the rest.

Theory of operation. The child is told once that this Dispatcher is here, and again until it hears.
What has changed goes to it in batches, one at a time: LAG_S after the first change of a batch, or
when there are enough for one. A batch that it did not take is taken anew, with what has changed
since, ever more slowly. Runs wait for none of this.
"""

import random
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from loki.actors.door.promise import keep
from loki.actors.door.role import Shell, Timer
from loki.core.history.history import History
from loki.core.history.remembered import kept
from loki.core.history.unwritten import Taken, Unwritten
from loki.core.supervisor.spec import Backoff
from loki.errors import ErrorCode, ServiceUnavailable
from loki.messages.archive import ArchiveOpened, KeepExecutions, OpenArchive
from loki.messages.envelope import Done, Failure, Message, Request

R = TypeVar("R", bound=Message)
T = TypeVar("T", bound=Message)

LAG_S = 0.8
"""With the time of a write, what is on disk is at most a second old; each write costs a sector."""

WRITE_TIMEOUT_S = 10.0
ASK_TIMEOUT_S = 8.0  # The gateway waits a little longer.
PART_OF_GRACE = 0.8  # Whoever is late for the end is killed.
AGAIN = Backoff(shortest_s=0.5, longest_s=10.0)


class Archivist:
    """The Dispatcher's conversation with its keeper."""

    def __init__(self, shell: Shell, keeper: str, history: History, unwritten: Unwritten) -> None:
        self._shell = shell
        self._keeper = keeper
        self._history = history
        self._unwritten = unwritten
        self._session = 0  # 0 until the archive is open.
        self._busy = False  # Something is on its way.
        self._due: Timer | None = None
        self._failures = 0  # In a row.
        self._dropping = False
        self._closed: Callable[[], None] | None = None

    def begin(self) -> None:
        """Open the archive."""
        self._act()

    def noted(self) -> None:
        """The history has changed: that will be on disk within a second."""
        if self._due is None or self._unwritten.full:
            self._look()

    def _look(self) -> None:
        if self._busy or self._failures:
            if self._unwritten.dropped and not self._dropping:
                self._begin_dropping()
        elif self._unwritten.full:
            self._act()
        elif self._due is None:
            self._due = self._shell.later(LAG_S, self._act)

    def _begin_dropping(self) -> None:
        self._dropping = True
        self._shell.log.warning(
            "%s does not take the history of executions: the oldest that wait are dropped",
            self._keeper,
        )

    def _act(self) -> None:
        """Whatever was to happen next happens now."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._busy = True
        if self._session:
            self._write(self._unwritten.take())
        else:
            self._open()

    def _open(self) -> None:
        request = OpenArchive(now_ns=self._shell.clock.now_ns())
        self._shell.request(self._keeper, request, self._opened, timeout_s=WRITE_TIMEOUT_S)

    def _opened(self, reply: ArchiveOpened | Failure) -> None:
        if isinstance(reply, ArchiveOpened):
            self._session = reply.session
            self._history.continues(reply.session)
        self._go_on(reply)

    def _write(self, taken: Taken) -> None:
        def written(reply: Done | Failure) -> None:
            if isinstance(reply, Done):
                self._unwritten.written(taken)
                self._tell_dropped()
            self._go_on(reply)

        request = KeepExecutions(
            session=self._session,
            now_ns=self._shell.clock.now_ns(),
            executions=tuple(kept(found) for found, _ in taken),
        )
        self._shell.request(self._keeper, request, written, timeout_s=WRITE_TIMEOUT_S)

    def _tell_dropped(self) -> None:
        if self._unwritten.dropped:
            self._shell.log.warning(
                "%d changes of executions are not in the history", self._unwritten.dropped
            )
        self._unwritten.dropped, self._dropping = 0, False

    def _go_on(self, reply: Message) -> None:
        """With what changed meanwhile; at the end with all of it, at once."""
        self._busy = False
        if isinstance(reply, Failure):
            self._wait(reply)
            return
        self._failures = 0
        if self._closed is not None:
            self._close()
        elif self._unwritten:
            self._look()

    def _wait(self, failure: Failure) -> None:
        """Try again later; at the end only where another one may be there by then."""
        self._failures += 1
        self._shell.log.info("the history waits for %s: %s", self._keeper, failure.message)
        delay_s = AGAIN.delay_s(self._failures, random.random())  # noqa: S311  # No secret.
        if failure.code is ErrorCode.CHILD_DOWN or self._closed is None:
            self._due = self._shell.later(delay_s, self._act)
        else:
            self._leave()

    def close(self, grace_s: float, done: Callable[[], None]) -> None:
        """Write the rest, then call `done`, once; also where that fails for `grace_s`."""
        self._closed = done
        self._shell.later(grace_s * PART_OF_GRACE, self._leave)
        if not self._busy:
            self._close()

    def _close(self) -> None:
        if self._unwritten:
            self._act()
        else:
            self._leave()

    def _leave(self) -> None:
        if self._closed is None:
            return
        if self._unwritten:
            self._shell.log.warning(
                "%s did not take the last of the history: %d executions",
                self._keeper,
                len(self._unwritten),
            )
        closed, self._closed = self._closed, None
        closed()

    def ask(self, request: Request[R], then: Callable[[R], T]) -> "Future[T]":
        """What `then` makes of the keeper's answer.

        Raises: ServiceUnavailable where the archive is not open yet.
        """
        if not self._session:
            raise ServiceUnavailable(
                f"the history of executions cannot be read yet: {self._keeper} does not answer",
                details={"child": self._keeper},
            )
        answer: Future[T] = Future()

        def replied(reply: R | Failure) -> None:
            if isinstance(reply, Failure):
                answer.set_exception(reply.error())
            else:
                keep(answer, lambda: then(reply))

        self._shell.request(self._keeper, request, replied, timeout_s=ASK_TIMEOUT_S)
        return answer
