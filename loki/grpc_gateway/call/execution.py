"""Runs scripts for calls: for as long as a call lasts, and as fast as its client reads."""

import secrets
from collections.abc import Callable
from functools import partial

from loki.actors.door.role import Shell
from loki.core.access.principal import require_seen
from loki.core.run.execution import new_id
from loki.grpc_gateway.call.bulk import Bulk
from loki.grpc_gateway.call.guard import Call
from loki.grpc_gateway.call.run_table import RunTable
from loki.grpc_gateway.convert.run import Event
from loki.messages.execution import RunFinished, SubmitRun, ValueEmitted

EXECUTION_HEADER = "loki-execution-id"


class Executor:
    """Gives runs to the Dispatcher and their events to clients."""

    def __init__(self, shell: Shell, runs: RunTable, bulk: Bulk) -> None:
        self._shell = shell
        self._runs = runs
        self.bulk = bulk

    def new_id(self) -> str:
        """An id for a run, unguessable."""
        return new_id(self._shell.clock.now_ns(), secrets.token_hex(10))

    async def run(self, submit: SubmitRun, call: Call) -> RunFinished:
        """The good end of a run that is not to be streamed. Raises: LokiError."""
        _require_reach(submit, call)
        with call.running(), self._runs.open(submit, call.left_s()) as run:
            return await run.end()

    async def stream(
        self, submit: SubmitRun, call: Call, response: Callable[[Event, int, int], object]
    ) -> None:
        """Write `response(event, sequence, now_ns)` of each event, the good end being the last.

        Raises: LokiError, of `response` too.
        """
        _require_reach(submit, call)
        sequence, told = 0, partial(self._told, response, call)
        with call.running(), self._runs.open(submit, call.left_s()) as run:
            await call.context.send_initial_metadata(((EXECUTION_HEADER, run.id),))
            while not isinstance(event := await run.next(), RunFinished):
                sequence = event.sequence
                await told(event, sequence)
                run.taken(sequence)
            await told(event, sequence + 1)

    async def _told(
        self, response: Callable[[Event, int, int], object], call: Call, event: Event, sequence: int
    ) -> None:
        now_ns = self._shell.clock.now_ns()
        size_bytes = len(event.value) if isinstance(event, ValueEmitted | RunFinished) else 0
        made = await self.bulk.convert(size_bytes, response, event, sequence, now_ns)
        await call.context.write(made)


def _require_reach(submit: SubmitRun, call: Call) -> None:
    """Raises: OutOfReach for a script that the caller may not know of."""
    if submit.adhoc is None:
        require_seen(call.principal, submit.script)
