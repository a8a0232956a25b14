"""The methods of the public API: proto to message, ask, message to proto."""

from contextlib import aclosing
from functools import partial

import msgspec

from loki.actors.door.role import Shell
from loki.core.access.principal import may_hear, require_name, require_seen
from loki.core.run.manifest import may_have_header
from loki.errors import InvalidArgument, ServiceUnavailable
from loki.grpc_gateway.call.execution import Executor
from loki.grpc_gateway.call.guard import Call, needs
from loki.grpc_gateway.call.run_table import DISPATCHER
from loki.grpc_gateway.convert import record, revision, run
from loki.grpc_gateway.convert.device import (
    children_to_proto,
    engines_to_proto,
    value_cache_to_proto,
)
from loki.grpc_gateway.convert.event import (
    event_response,
    kinds_of,
    sequence_of,
    watch_started,
)
from loki.grpc_gateway.convert.script import LUA, definition_of, list_request, script_to_proto
from loki.grpc_gateway.convert.value import arguments_of
from loki.grpc_gateway.service import device, log
from loki.grpc_gateway.service.children import all_children, root_children
from loki.grpc_gateway.service.event_hub import EventHub
from loki.grpc_gateway.service.history import History
from loki.grpc_gateway.service.log import Log
from loki.grpc_gateway.service.script_list import ScriptList
from loki.grpc_gateway.typed.directory import LIBRARY, Directory
from loki.messages.access import ClientRole
from loki.messages.engine import ChunkCacheStatistics, DescribeEngines, EngineStatus
from loki.messages.execution import CancelRun, SubmitRun
from loki.messages.gateway import GatewayConfig
from loki.messages.library import (
    GetScript,
    ReadHeader,
    RegisterScript,
    UnregisterScript,
)
from loki.messages.lifecycle import ROOT
from loki.messages.module import DescribeModules
from loki.messages.script import ADHOC_NAME, Origin, Script
from loki.messages.supervision import ResetActor
from loki.messages.value_cache import DescribeValueCache, ValueCacheStatistics
from loki.v1 import execution_pb2, script_pb2, service_pb2

ANSWER_TIMEOUT_S = 10.0
KEEPER_TIMEOUT_S = 1.0  # Its figures are not worth a longer wait.
LONGEST_SOURCE_NAME = 200  # Characters; of a longer one the end counts.


class LokiServicer:
    """`loki.v1.LokiService`."""

    def __init__(
        self,
        shell: Shell,
        config: GatewayConfig,
        executor: Executor,
        events: EventHub,
        log: Log,
        directory: Directory,
    ) -> None:
        self._shell = shell
        self._config = config
        self._executor = executor
        self._directory = directory
        self._events = events
        self._log = log
        self._bulk = executor.bulk
        self._history = History(shell)
        self._scripts = ScriptList(shell, directory)

    @needs(ClientRole.VIEW)
    async def GetCapabilities(  # noqa: N802
        self, request: service_pb2.GetCapabilitiesRequest, call: Call
    ) -> service_pb2.GetCapabilitiesResponse:
        scripts, count = await self._scripts.first(call, wanted=not request.without_scripts)
        children = await root_children(self._shell, call.timeout_s(ANSWER_TIMEOUT_S))
        return service_pb2.GetCapabilitiesResponse(
            service=ROOT,
            version=self._config.version,
            device=device.describe(self._config.back_ends),
            children=children_to_proto(c for c in children if c.service),
            engines=engines_to_proto(await self._engines(call), await self._module_cache(call)),
            value_cache=value_cache_to_proto(await self._value_cache(call)),
            scripts=scripts,
            scripts_truncated=len(scripts) < count,
            script_count=count,
        )

    @needs(ClientRole.VIEW)
    async def GetChildrenStatus(  # noqa: N802
        self, _request: service_pb2.GetChildrenStatusRequest, call: Call
    ) -> service_pb2.GetChildrenStatusResponse:
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        children = children_to_proto(await all_children(self._shell, timeout_s))
        response = service_pb2.GetChildrenStatusResponse(children=children)
        response.time.FromNanoseconds(self._shell.clock.now_ns())
        return response

    @needs(ClientRole.ADMIN)
    async def ResetChild(  # noqa: N802
        self, request: service_pb2.ResetChildRequest, call: Call
    ) -> service_pb2.ResetChildResponse:
        reset = ResetActor(name=request.child)
        done = await self._shell.ask(ROOT, reset, timeout_s=call.timeout_s(ANSWER_TIMEOUT_S))
        return service_pb2.ResetChildResponse(pid=done.pid)

    @needs(ClientRole.VIEW)
    async def ListScripts(  # noqa: N802
        self, request: service_pb2.ListScriptsRequest, call: Call
    ) -> service_pb2.ListScriptsResponse:
        asked = list_request(request, call.principal.scripts)
        page, following = await self._scripts.page(asked, call)
        return service_pb2.ListScriptsResponse(scripts=page, next_page_token=following)

    @needs(ClientRole.VIEW)
    async def GetScript(  # noqa: N802
        self, request: service_pb2.GetScriptRequest, call: Call
    ) -> service_pb2.GetScriptResponse:
        require_seen(call.principal, request.name)
        get = GetScript(name=request.name, revision=request.revision)
        found = await self._shell.ask(LIBRARY, get, timeout_s=call.timeout_s(ANSWER_TIMEOUT_S))
        return service_pb2.GetScriptResponse(script=self._script(found.script, call))

    @needs(ClientRole.VIEW)
    async def ListScriptRevisions(  # noqa: N802
        self, request: service_pb2.ListScriptRevisionsRequest, call: Call
    ) -> service_pb2.ListScriptRevisionsResponse:
        require_seen(call.principal, request.name)
        listed = await self._shell.ask(
            LIBRARY, revision.list_request(request), timeout_s=call.timeout_s(ANSWER_TIMEOUT_S)
        )
        return service_pb2.ListScriptRevisionsResponse(
            revisions=map(revision.to_proto, listed.revisions), next_page_token=listed.next_page
        )

    @needs(ClientRole.REGISTER)
    async def RegisterScript(  # noqa: N802
        self, request: service_pb2.RegisterScriptRequest, call: Call
    ) -> service_pb2.RegisterScriptResponse:
        require_name(call.principal, request.definition.name)
        given = request.definition
        register = RegisterScript(
            definition=await self._bulk.convert(given.ByteSize(), definition_of, given),
            principal=call.principal.name,
            most_scripts=call.principal.quota.scripts,
            expected_revision=request.expected_revision,
            validate_only=request.validate_only,
        )
        found = await self._shell.ask(LIBRARY, register, timeout_s=call.timeout_s(ANSWER_TIMEOUT_S))
        return service_pb2.RegisterScriptResponse(script=self._script(found.script, call))

    @needs(ClientRole.REGISTER)
    async def RollbackScript(  # noqa: N802
        self, request: service_pb2.RollbackScriptRequest, call: Call
    ) -> service_pb2.RollbackScriptResponse:
        require_seen(call.principal, request.name)
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        rollback = revision.rollback_request(request, call.principal)
        found = await self._shell.ask(LIBRARY, rollback, timeout_s=timeout_s)
        return service_pb2.RollbackScriptResponse(script=self._script(found.script, call))

    @needs(ClientRole.REGISTER)
    async def UnregisterScript(  # noqa: N802
        self, request: service_pb2.UnregisterScriptRequest, call: Call
    ) -> service_pb2.UnregisterScriptResponse:
        require_seen(call.principal, request.name)
        unregister = UnregisterScript(
            name=request.name,
            principal=call.principal.name,
            expected_revision=request.expected_revision,
        )
        await self._shell.ask(LIBRARY, unregister, timeout_s=call.timeout_s(ANSWER_TIMEOUT_S))
        return service_pb2.UnregisterScriptResponse()

    @needs(ClientRole.EXECUTE)
    async def ExecuteScript(  # noqa: N802
        self, request: service_pb2.ExecuteScriptRequest, call: Call
    ) -> service_pb2.ExecuteScriptResponse:
        submit = await self._declared(
            await self._submission(request.input, call, stream=False), call
        )
        finished = await self._executor.run(submit, call)
        result = await self._bulk.convert(len(finished.value), run.result, finished)
        return service_pb2.ExecuteScriptResponse(execution_id=submit.run, result=result)

    @needs(ClientRole.EXECUTE)
    async def StreamScriptExecution(  # noqa: N802
        self, request: service_pb2.StreamScriptExecutionRequest, call: Call
    ) -> None:
        submit = await self._declared(
            await self._submission(request.input, call, stream=True), call
        )
        await self._executor.stream(submit, call, run.stream_response)

    @needs(ClientRole.EXECUTE)
    async def CancelExecution(  # noqa: N802
        self, request: service_pb2.CancelExecutionRequest, call: Call
    ) -> service_pb2.CancelExecutionResponse:
        await self._history.require_seen(request.execution_id, call)
        cancel = CancelRun(run=request.execution_id)
        await self._shell.ask(DISPATCHER, cancel, timeout_s=call.timeout_s(ANSWER_TIMEOUT_S))
        return service_pb2.CancelExecutionResponse()

    @needs(ClientRole.ADMIN, lasting=True)
    async def WatchLogs(  # noqa: N802
        self, request: service_pb2.WatchLogsRequest, call: Call
    ) -> None:
        now_ns = self._shell.clock.now_ns()
        await call.context.send_initial_metadata(((log.TIME_HEADER, str(now_ns)),))
        async with aclosing(self._log.records(request)) as records:
            async for record in records:
                await call.context.write(log.response(record))

    async def _submission(
        self, given: execution_pb2.ScriptInput, call: Call, *, stream: bool
    ) -> SubmitRun:
        """Raises: LokiError."""
        run = self._executor.new_id()
        return await self._bulk.convert(
            given.ByteSize(), submission, given, call, run, stream=stream
        )

    async def _declared(self, submit: SubmitRun, call: Call) -> SubmitRun:
        """With what the header of an ad-hoc script declares. Raises: InvalidScript."""
        if submit.adhoc is None or not may_have_header(submit.adhoc.source):
            return submit
        read = await self._shell.ask(
            LIBRARY, ReadHeader(script=submit.adhoc), timeout_s=call.timeout_s(ANSWER_TIMEOUT_S)
        )
        if read.script is None:
            return submit
        declared: SubmitRun = msgspec.structs.replace(submit, adhoc=read.script, declared=True)
        return declared

    @needs(ClientRole.VIEW, lasting=True)
    async def WatchEvents(  # noqa: N802
        self, request: service_pb2.WatchEventsRequest, call: Call
    ) -> None:
        with self._events.watch(
            kinds_of(request),
            sequence_of(request),
            request.log_id,
            include_recent=request.include_recent,
            holder=call.principal.name,
            hears=partial(may_hear, call.principal),
        ) as watch:
            await call.context.write(watch_started(watch.recall, watch.last, watch.log_id))
            for event in watch.recall.events:
                await call.context.write(event_response(event, 0))
            while True:
                await call.context.write(event_response(*await watch.next()))

    @needs(ClientRole.VIEW)
    async def GetExecution(  # noqa: N802
        self, request: service_pb2.GetExecutionRequest, call: Call
    ) -> service_pb2.GetExecutionResponse:
        found = await self._history.find(request.execution_id, call)
        size_bytes = len(found.finished.value) if found.finished else 0
        execution = await self._bulk.convert(size_bytes, record.to_proto, found)
        return service_pb2.GetExecutionResponse(execution=execution)

    @needs(ClientRole.VIEW)
    async def ListExecutions(  # noqa: N802
        self, request: service_pb2.ListExecutionsRequest, call: Call
    ) -> service_pb2.ListExecutionsResponse:
        page, more = await self._history.page(record.list_request(request), call)
        return service_pb2.ListExecutionsResponse(
            executions=map(record.summary, page), next_page_token=more
        )

    def _script(self, script: Script, call: Call) -> script_pb2.Script:
        now = self._directory.snapshot
        method = now.method_of(script.name, call.principal, script.revision)
        return script_to_proto(script, method)

    async def _engines(self, call: Call) -> tuple[EngineStatus, ...]:
        """None while the Dispatcher restarts: how Loki fares must be seen just then."""
        try:
            listed = await self._shell.ask(
                DISPATCHER, DescribeEngines(), timeout_s=call.timeout_s(ANSWER_TIMEOUT_S)
            )
        except ServiceUnavailable:
            return ()
        return listed.engines

    async def _module_cache(self, call: Call) -> ChunkCacheStatistics | None:
        """None while the Library restarts."""
        try:
            described = await self._shell.ask(
                LIBRARY, DescribeModules(), timeout_s=call.timeout_s(ANSWER_TIMEOUT_S)
            )
        except ServiceUnavailable:
            return None
        return described.statistics

    async def _value_cache(self, call: Call) -> ValueCacheStatistics | None:
        """None while the child restarts that keeps it."""
        if not self._config.keeper:
            return None
        try:
            described = await self._shell.ask(
                self._config.keeper,
                DescribeValueCache(),
                timeout_s=min(call.timeout_s(ANSWER_TIMEOUT_S), KEEPER_TIMEOUT_S),
            )
        except ServiceUnavailable:
            return None
        return described.statistics


def submission(
    given: execution_pb2.ScriptInput, call: Call, run: str, *, stream: bool
) -> SubmitRun:
    """Raises: InvalidArgument; PermissionRefused for a source without the role `adhoc`."""
    adhoc = None
    if given.WhichOneof("script") == "source":
        call.principal.require(ClientRole.ADHOC)
        language = given.language or LUA
        adhoc = Script(
            name=ADHOC_NAME,
            source=given.source,
            chunk=given.source_name[-LONGEST_SOURCE_NAME:] or ADHOC_NAME,
            language=language,
            origin=Origin.ADHOC,
        )
    elif not given.name:
        raise InvalidArgument(
            "input needs the name of a script, or a source", details={"field": "input.name"}
        )
    return SubmitRun(
        run=run,
        principal=call.principal.name,
        script=given.name,
        revision=given.revision,
        adhoc=adhoc,
        arguments=arguments_of(given),
        stream=stream,
    )
