"""What Loki's Dispatcher asks of the history of executions, done by the database's thread."""

import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from hel_actor.database.database import Database
from hel_actor.steadiness import Steadiness
from hel_actor.system import history
from hel_actor.system.history import Bounds, Stock
from loki.child import ServiceHandler, Shell
from loki.messages.archive import (
    ArchiveOpened,
    FindKept,
    KeepExecutions,
    Kept,
    KeptFound,
    KeptListed,
    ListKept,
    OpenArchive,
)
from loki.messages.envelope import Done, Message

T = TypeVar("T")

TIDY_EVERY_S = 3600.0  # Where nothing comes, something gets too old all the same.


class Historian:
    """What has begun belongs to a session, that of its Dispatcher; there is one at a time."""

    def __init__(self, shell: Shell, database: Database, bounds: Bounds) -> None:
        self._shell = shell
        self._steadiness = Steadiness(shell.clock)  # Of the database's thread.
        self._database = database
        self._bounds = bounds
        self._tidies = False
        self._closing = False
        # Of the database's thread:
        self._session = 0
        self._stock: Stock | None = None  # Not counted yet.

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {
            OpenArchive: self._open,
            KeepExecutions: self._keep,
            FindKept: self._find,
            ListKept: self._list,
        }

    def _open(self, request: OpenArchive) -> "Future[ArchiveOpened]":
        def opened(database: sqlite3.Connection) -> ArchiveOpened:
            self._session = max(self._session, history.newest_session(database)) + 1
            history.interrupt(database, self._session, request.now_ns)
            return ArchiveOpened(session=self._session)

        promise = self._database.submit(opened)
        if not self._tidies:
            self._tidies = True
            self._tidy_in_time()
        return promise

    def _keep(self, request: KeepExecutions) -> "Future[Done]":
        """A late word of an earlier session is a last one: what has no end there gets none."""

        def keep(database: sqlite3.Connection, before: Stock) -> Stock:
            after = history.keep(database, request.executions, before)
            if request.session < self._session:
                history.interrupt(database, self._session, request.now_ns)
            self._session = max(self._session, request.session)
            return history.trim(database, after, self._bounds, self._steadiness.aging_ns())

        return self._change(keep)

    def _change(self, change: Callable[[sqlite3.Connection, Stock], Stock]) -> "Future[Done]":
        """Do what gives another stock; it is counted anew where that was in vain.

        On a full disk the database does by itself, once more, what was undone with others.
        """
        begun = False

        def perform(database: sqlite3.Connection) -> Done:
            nonlocal begun
            if begun:
                self._stock = None
            begun = True
            self._stock = change(database, self._stock or history.stock(database))
            return Done()

        def done(promise: "Future[Done]") -> None:
            if promise.cancelled() or promise.exception():
                self._stock = None

        promise = self._database.submit(perform)
        promise.add_done_callback(done)
        return promise

    def _find(self, request: FindKept) -> "Future[KeptFound]":
        return self._database.submit(
            lambda database: KeptFound(
                execution=history.find(database, request.run),
                begins_ns=history.begins_ns(database),
            )
        )

    def _list(self, request: ListKept) -> "Future[KeptListed]":
        answer: Future[KeptListed] = Future()
        self._look(request, request.below, (), answer)
        return answer

    def _look(
        self,
        request: ListKept,
        below: int,
        numbers: tuple[int, ...],
        answer: "Future[KeptListed]",
    ) -> None:
        """A step at a time: what is small and waits gets in between. `numbers` match already."""
        most = request.size + 1 - len(numbers)

        def looked(seen: history.Seen) -> None:
            found = numbers + seen.numbers
            if seen.below and len(found) <= request.size:
                self._look(request, seen.below, found, answer)
            else:
                self._read(request, found, answer)

        step = self._database.submit(lambda db: history.look(db, request, below, most))
        _pass_on(step, looked, answer)

    def _read(
        self, request: ListKept, numbers: tuple[int, ...], answer: "Future[KeptListed]"
    ) -> None:
        page = numbers[: request.size]

        def read(executions: tuple[Kept, ...]) -> None:
            more = len(executions) < len(numbers)
            answer.set_result(KeptListed(executions=executions, more=more))

        _pass_on(self._database.submit(lambda db: history.read(db, page)), read, answer)

    def _tidy(self) -> None:
        """Let go what is too much by now, a step at a time."""
        more = False

        def step(database: sqlite3.Connection, before: Stock) -> Stock:
            nonlocal more
            now_ns = self._steadiness.aging_ns()
            after = history.trim(database, before, self._bounds, now_ns)
            more = after != before
            return after

        def done(promise: "Future[Done]") -> None:
            if more and not self._closing and not promise.exception():
                self._tidy()

        self._change(step).add_done_callback(done)

    def _tidy_in_time(self) -> None:
        self._tidy()
        self._shell.later(TIDY_EVERY_S, self._tidy_in_time)

    def close(self) -> None:
        """Begin no more steps: the database closes."""
        self._closing = True


def _pass_on(step: "Future[T]", then: Callable[[T], None], answer: "Future[KeptListed]") -> None:
    """Go on with what a step gives, in the database's thread; its failure is the answer."""

    def done(promise: "Future[T]") -> None:
        error = promise.exception()
        if error is None:
            then(promise.result())
        else:
            answer.set_exception(error)

    step.add_done_callback(done)
