"""Executions for those who may know of them: of the scripts that a caller may see."""

import msgspec

from loki.actors.door.role import Shell
from loki.core.access.principal import OutOfReach, may_follow
from loki.errors import ErrorCode, LokiError
from loki.grpc_gateway.call.guard import Call
from loki.grpc_gateway.call.run_table import DISPATCHER
from loki.messages.history import Execution, GetExecution, ListExecutions

TIMEOUT_S = 10.0


class History:
    """What the Dispatcher knows of executions, bounded by who asks."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def find(self, run: str, call: Call) -> Execution:
        """Raises: LokiError, with EXECUTION_NOT_FOUND also for one that the caller may not see."""
        request = GetExecution(run=run)
        timeout_s = call.timeout_s(TIMEOUT_S)
        try:
            found = await self._shell.ask(DISPATCHER, request, timeout_s=timeout_s)
        except LokiError as error:
            if call.principal.unbounded or error.code is not ErrorCode.EXECUTION_NOT_FOUND:
                raise
            raise unseen(run) from error
        if not may_follow(call.principal, found.execution):
            raise OutOfReach(unseen(run), call.principal, found.execution.script)
        return found.execution

    async def require_seen(self, run: str, call: Call) -> None:
        """Raises: as `find`; whoever sees every script need not be asked for."""
        if not call.principal.unbounded:
            await self.find(run, call)

    async def page(self, request: ListExecutions, call: Call) -> tuple[tuple[Execution, ...], str]:
        """Those that the caller may see, perhaps none, and where the next page begins."""
        timeout_s = call.timeout_s(TIMEOUT_S)
        asked = msgspec.structs.replace(request, among=call.principal.scripts)
        listed = await self._shell.ask(DISPATCHER, asked, timeout_s=timeout_s)
        seen = tuple(each for each in listed.executions if may_follow(call.principal, each))
        return seen, listed.next_page


def unseen(run: str) -> LokiError:
    """The same for one that is not there and for one that may not be seen."""
    return LokiError(
        f"no execution '{run[:64]}' is known",
        code=ErrorCode.EXECUTION_NOT_FOUND,
        details={"execution": run[:64]},
    )
