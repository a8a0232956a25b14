"""Tells of each run how it ended: its gateway at once, and later whoever asks."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import NoReturn, TypeVar

from loki.actors.dispatcher.archivist import Archivist
from loki.actors.door.promise import when_read
from loki.actors.door.role import Context, Handler, Shell
from loki.core.history import page
from loki.core.history.history import History, ended_already, unknown
from loki.core.history.page import Page
from loki.core.history.remembered import Remembered, described, listed, packed, recalled
from loki.core.history.unwritten import Unwritten
from loki.messages.archive import FindKept, KeptFound, KeptListed, ListKept
from loki.messages.envelope import Message
from loki.messages.execution import RunEnded, RunFinished, SubmitRun
from loki.messages.history import (
    ExecutionFound,
    ExecutionsListed,
    GetExecution,
    ListExecutions,
)
from loki.messages.script import Origin, Script

T = TypeVar("T", bound=Message)

LONGEST_NAME = 200  # Characters; a caller may ask for anything.


class Chronicle:
    """What the Dispatcher remembers, with the clock of this device; the rest has its keeper."""

    def __init__(self, shell: Shell, keeper: str = "") -> None:
        """Without a keeper, what memory forgets is gone."""
        self._shell = shell
        unwritten = Unwritten() if keeper else None
        self._history = History(shell.clock.now_ns(), unwritten)
        self._archivist = (
            None if unwritten is None else Archivist(shell, keeper, self._history, unwritten)
        )

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {GetExecution: self._get, ListExecutions: self._list}

    def begin(self) -> None:
        """The Dispatcher serves."""
        if self._archivist is not None:
            self._archivist.begin()

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        """What runs ends with Loki, and is written; `done` is called within `grace_s`."""

        def stopped() -> None:
            self._history.stopped(self._shell.clock.now_ns())
            if self._archivist is None:
                done()
            else:
                self._archivist.close(grace_s, done)

        when_read(self._shell, stopped)

    def _noted(self) -> None:
        if self._archivist is not None:
            self._archivist.noted()

    def submitted(self, message: SubmitRun, script: str) -> None:
        name, now_ns = script[:LONGEST_NAME], self._shell.clock.now_ns()
        self._history.submitted(message.run, name, message.principal, now_ns)
        self._noted()

    def started(self, run: str, script: Script, runner_pid: int) -> None:
        """It was given to that runner."""
        revision = "" if script.origin is Origin.ADHOC else script.revision
        self._history.started(run, revision, runner_pid, self._shell.clock.now_ns())
        self._noted()

    def waits(self, run: str) -> None:
        """Its runner was lost, and it gets another."""
        self._history.waits(run)

    def tell(self, gateway: str, finished: RunFinished) -> None:
        """The end of a run that its runner did not tell, or that had none."""
        end, complete = packed(finished)
        now_ns = self._shell.clock.now_ns()
        self._history.ended(finished.run, finished.cause, end, now_ns, complete=complete)
        self._noted()
        self._shell.send(gateway, finished)

    def told(self, ended: RunEnded) -> None:
        """A runner told its gateway by itself."""
        self._history.ended(
            ended.run,
            ended.cause,
            bytes(ended.end),
            self._shell.clock.now_ns(),
            complete=ended.complete,
        )
        self._noted()

    def is_live(self, run: str) -> bool:
        """Whether it is known, and has not ended."""
        return self._history.is_live(run)

    def refuse(self, run: str) -> "Future[NoReturn]":
        """Raises, or promises, LokiError: a run that is not live has ended, or is not known."""

        def refuse(found: Remembered) -> NoReturn:
            raise ended_already(found)

        return self._find(run, refuse)

    def _get(
        self, request: GetExecution, context: Context
    ) -> "ExecutionFound | Future[ExecutionFound]":
        require_gateway(context)
        return self._find(request.run, lambda found: ExecutionFound(execution=described(found)))

    def _find(self, run: str, then: Callable[[Remembered], T]) -> "T | Future[T]":
        """What `then` makes of it. Raises: LokiError that says how far back the history goes."""
        found = self._history.find(run)
        if found is not None:
            return then(found)
        if self._archivist is None:
            raise self._history.unknown(run)
        return self._archivist.ask(FindKept(run=run), lambda reply: then(self._read(run, reply)))

    def _read(self, run: str, reply: KeptFound) -> Remembered:
        if reply.execution is None:
            raise unknown(run, reply.begins_ns or self._history.begins_ns)
        return recalled(reply.execution)

    def _list(
        self, request: ListExecutions, context: Context
    ) -> "ExecutionsListed | Future[ExecutionsListed]":
        require_gateway(context)
        asked = page.asked(request)
        found, seam = self._history.search(asked), self._history.seam
        if self._archivist is None or page.suffices(asked, found, seam):
            return _listing(page.of_memory(asked, found, seam))

        def merged(reply: KeptListed) -> ExecutionsListed:
            rows = [recalled(row) for row in reply.executions]
            return _listing(page.merged(asked, found, rows, more=reply.more))

        rest = ListKept(
            script=asked.script,
            state=asked.state,
            below=asked.below,
            size=asked.size,
            among=asked.among,
        )
        return self._archivist.ask(rest, merged)


def _listing(page: Page) -> ExecutionsListed:
    return ExecutionsListed(
        executions=tuple(listed(each) for each in page.executions), next_page=page.next
    )


def require_gateway(context: Context) -> None:
    """A runner may not read what others ran, whatever runs in it. Raises: PermissionRefused."""
    context.require_kin("only the Gateway asks for executions")
