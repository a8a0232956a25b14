"""The executions that clients wait for, and what comes in for them.

Theory of operation. A call opens a run: the Dispatcher gets SubmitRun, and whatever the Runner or
the Dispatcher says of that run is queued here until the call takes it. A run ends once, by its
RunFinished or because the Dispatcher was lost; what comes later is dropped. A call that goes away
before the end (its client left, or its deadline passed) cancels the run. Streams are slowed by
their readers: a Runner sends a few chunks ahead and then waits for ChunkTaken.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from loki.actors.door.role import Context, Handler, Shell
from loki.errors import ErrorCode, LokiError, ServiceUnavailable
from loki.grpc_gateway.convert.run import Event
from loki.messages.envelope import Failure, Message
from loki.messages.execution import (
    CancelRun,
    Cause,
    ChunkTaken,
    OutputWritten,
    ProgressMade,
    RunFinished,
    SubmitRun,
    ValueEmitted,
)

DISPATCHER = "dispatcher"
CANCEL_TIMEOUT_S = 5.0
MAX_WAITING = 1024
"""Events of one run that nobody took yet: far beyond any honest runner's window."""


class RunFailed(LokiError):
    """An execution ended badly; `finished` is all that is known of it."""

    def __init__(self, finished: RunFinished, failure: Failure) -> None:
        super().__init__(failure.message, code=failure.code, details=failure.details)
        self.finished = finished
        self.failure = failure


class PendingRun:
    """One execution: its events in order, the last of them RunFinished."""

    def __init__(self, submit: SubmitRun, shell: Shell) -> None:
        self.id = submit.run
        self.script = submit.adhoc.name if submit.adhoc else submit.script
        self.ended = False
        self._shell = shell
        self._runner = ""
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def put(self, event: Event, sender: str) -> None:
        if self.ended:
            return
        if isinstance(event, RunFinished):
            self.ended = True
        elif self._events.qsize() < MAX_WAITING:
            self._runner = sender
        else:
            self._shell.log.warning("%s floods run %s; chunks are dropped", sender, self.id)
            return
        self._events.put_nowait(event)

    async def next(self) -> Event:
        """The next event; waits for it. Raises: RunFailed."""
        event = await self._events.get()
        if isinstance(event, RunFinished) and event.failure is not None:
            raise RunFailed(event, event.failure)
        return event

    async def end(self) -> RunFinished:
        """The good end, for callers who want nothing else. Raises: RunFailed."""
        while not isinstance(event := await self.next(), RunFinished):
            pass
        return event

    def taken(self, sequence: int) -> None:
        """The client has every chunk up to that one: its runner may send more."""
        self._shell.send(self._runner, ChunkTaken(run=self.id, sequence=sequence), run=self.id)


class RunTable:
    """Every pending run of this gateway, by its id."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._runs: dict[str, PendingRun] = {}
        self._draining = False

    def handlers(self) -> Mapping[type[Message], Handler]:
        return dict.fromkeys((OutputWritten, ProgressMade, ValueEmitted, RunFinished), self._came)

    def _came(self, event: Event, context: Context) -> None:
        run = self._runs.get(event.run)
        if run is not None:
            run.put(event, context.peer)

    @contextmanager
    def open(self, submit: SubmitRun, timeout_s: float | None) -> Iterator[PendingRun]:
        """Submit a run; leaving before its end cancels it.

        Raises: ServiceUnavailable (DRAINING); ResourceLimitExceeded when the outbox is full.
        """
        if self._draining:
            raise ServiceUnavailable(
                "Loki is stopping and starts no more executions", code=ErrorCode.DRAINING
            )
        self._shell.send(DISPATCHER, submit, timeout_s=timeout_s, run=submit.run)
        run = self._runs[submit.run] = PendingRun(submit, self._shell)
        try:
            yield run
        finally:
            del self._runs[submit.run]
            if not run.ended:
                self._cancel(submit.run)

    def _cancel(self, run: str) -> None:
        cancel = CancelRun(run=run)
        self._shell.request(
            DISPATCHER, cancel, lambda _reply: None, timeout_s=CANCEL_TIMEOUT_S, run=run
        )

    def dispatcher_lost(self) -> None:
        """Nobody will tell how the pending runs ended, so this does."""
        failure = Failure(
            code=ErrorCode.RUNNER_CRASHED,
            message="the dispatcher ended in the middle of this execution; what it did is done",
        )
        for run in self._runs.values():
            run.put(_ended(run, Cause.INTERRUPTED, failure), DISPATCHER)

    def end_all(self) -> None:
        """Loki stops, and has waited for the pending runs for as long as it may."""
        failure = Failure(
            code=ErrorCode.DRAINING, message="Loki is stopping, and has ended this execution"
        )
        for run in self._runs.values():
            if not run.ended:
                run.put(_ended(run, Cause.CANCELLED, failure), DISPATCHER)
                self._cancel(run.id)

    def refuse_more(self) -> None:
        """From now on, opening a run raises DRAINING."""
        self._draining = True


def _ended(run: PendingRun, cause: Cause, failure: Failure) -> RunFinished:
    return RunFinished(run=run.id, script=run.script, cause=cause, failure=failure)
