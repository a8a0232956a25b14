"""The scripts that running scripts call, as the Dispatcher holds them.

A call is a run of its own for the children: they know it by its own id, with the manifest of the
called script, and serve it over the lane of the same runner. It ends with the call, or with the
run that it belongs to, however that ends.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from loki.actors.dispatcher.run import Run
from loki.actors.door.role import Context, Handler, Shell
from loki.core.run import call
from loki.core.run.execution import Admission
from loki.core.runner.script_table import ScriptTable
from loki.errors import ErrorCode, LokiError
from loki.messages.call import CallOpened, CloseCall, OpenCall
from loki.messages.envelope import Message
from loki.messages.execution import RunClosed, RunOpened
from loki.messages.script import Limits, Script


@dataclass(slots=True)
class Call:
    id: str
    root: Run
    script: Script
    chain: tuple[str, ...]  # Names of the scripts that called each other, this one last.
    limits: Limits
    told: set[str] = field(default_factory=set)  # Children that know of it.


class Calls:
    """All calls of all runs."""

    def __init__(
        self, shell: Shell, runs: Mapping[str, Run], scripts: ScriptTable, ceiling: Limits
    ) -> None:
        """`runs` are those of the Dispatcher, which goes on changing them."""
        self._shell = shell
        self._runs = runs
        self._scripts = scripts
        self.ceiling = ceiling  # Of calls that are opened from now on.
        self._calls: dict[str, Call] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {OpenCall: self._open, CloseCall: self._closed}

    def _open(self, request: OpenCall, context: Context) -> CallOpened:
        root, caller, chain = self._caller(request.run, context.peer_pid)
        script = self._scripts.find(request.tool)
        call.require(caller, script.name)
        chain = (*chain, script.name)
        call.check_room(chain, sum(each.root is root for each in self._calls.values()))
        admission = call.admit(script, request.arguments, self.ceiling)
        opened = Call(secrets.token_hex(16), root, script, chain, admission.limits)
        self._calls[opened.id] = opened
        return self._told(opened, admission)

    def _caller(self, run: str, pid: int) -> tuple[Run, Script, tuple[str, ...]]:
        """Only the process that the run was given to may speak for it."""
        above = self._calls.get(run)
        root = above.root if above else self._runs.get(run)
        if root is None or root.runner_pid != pid:
            raise LokiError("no such run is running here", code=ErrorCode.EXECUTION_NOT_FOUND)
        if above:
            return root, above.script, above.chain
        return root, root.admission.script, (root.name,)

    def _told(self, opened: Call, admission: Admission) -> CallOpened:
        known = self._scripts.know(opened.script)
        for child in known.children:
            opened.told.add(child)
            self._shell.send(child, describe(opened), run=opened.id)
        return CallOpened(
            call=opened.id,
            revision=known.revision,
            script=self._scripts.packed_for(opened.root.runner, known),
            arguments=admission.arguments,
            limits=admission.limits,
        )

    def _closed(self, message: CloseCall, context: Context) -> None:
        found = self._calls.get(message.call)
        if found is not None and found.root.runner_pid == context.peer_pid:
            self._close(found)

    def describe(self, call_id: str, child: str) -> RunOpened:
        """For a child that was not told. Raises: LokiError (EXECUTION_NOT_FOUND)."""
        found = self._calls.get(call_id)
        if found is None:
            raise LokiError("no such run is running", code=ErrorCode.EXECUTION_NOT_FOUND)
        found.told.add(child)
        return describe(found)

    def run_ended(self, root: Run) -> None:
        """Whatever it called ended with it."""
        for each in [each for each in self._calls.values() if each.root is root]:
            self._close(each)

    def _close(self, ended: Call) -> None:
        del self._calls[ended.id]
        for child in ended.told:
            self._shell.send(child, RunClosed(run=ended.id))


def describe(opened: Call) -> RunOpened:
    script = opened.script
    return RunOpened(
        run=opened.id,
        script=script.name,
        principal=opened.root.submitted.principal,
        permissions=script.permissions,
        declared_in=script.declared_in,
        runner_pid=opened.root.runner_pid,
        dispatcher_pid=os.getpid(),
        max_disk_mb=opened.limits.max_disk_mb,
    )
