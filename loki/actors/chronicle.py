"""Tells of each run how it ended: its gateway at once, and later whoever asks."""

from collections.abc import Mapping

from loki.actors.role import Context, Handler, Shell
from loki.core import history
from loki.core.history import History
from loki.errors import ErrorCode, PermissionRefused
from loki.messages.envelope import Message
from loki.messages.execution import RunEnded, RunFinished, SubmitRun
from loki.messages.history import (
    ExecutionFound,
    ExecutionsListed,
    GetExecution,
    ListExecutions,
)
from loki.messages.script import Origin, Script


class Chronicle:
    """What the Dispatcher remembers, with the clock of this device."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._history = History(shell.clock.now_ns())

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {GetExecution: self._get, ListExecutions: self._list}

    def submitted(self, message: SubmitRun, script: str) -> None:
        self._history.submitted(message.run, script, message.principal, self._shell.clock.now_ns())

    def started(self, run: str, script: Script, runner_pid: int) -> None:
        """It was given to that runner."""
        revision = "" if script.origin is Origin.ADHOC else script.revision
        self._history.started(run, revision, runner_pid, self._shell.clock.now_ns())

    def waits(self, run: str) -> None:
        """Its runner was lost, and it gets another."""
        self._history.waits(run)

    def tell(self, gateway: str, finished: RunFinished) -> None:
        """The end of a run that its runner did not tell, or that had none."""
        end, complete = history.packed(finished)
        now_ns = self._shell.clock.now_ns()
        self._history.ended(finished.run, finished.cause, end, now_ns, complete=complete)
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

    def require_live(self, run: str) -> None:
        """Raises: LokiError (EXECUTION_NOT_FOUND) for a run that has ended or is not known."""
        self._history.require_live(run)

    def _get(self, request: GetExecution, context: Context) -> ExecutionFound:
        require_gateway(context)
        return ExecutionFound(execution=self._history.find(request.run))

    def _list(self, request: ListExecutions, context: Context) -> ExecutionsListed:
        require_gateway(context)
        page, more = self._history.page(
            request.script, request.state, request.page_size, request.page
        )
        return ExecutionsListed(executions=page, next_page=more)


def require_gateway(context: Context) -> None:
    """A runner may not read what others ran, whatever runs in it. Raises: PermissionRefused."""
    if not context.kin:
        raise PermissionRefused("only the Gateway asks for executions", code=ErrorCode.ROLE)
