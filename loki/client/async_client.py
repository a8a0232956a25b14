"""Calls a Loki server from asyncio, with plain Python values."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any

import grpc

from loki.client.async_repeated_call import AsyncRepeatedCall
from loki.client.async_series import AsyncSeriesClient
from loki.client.async_stream import AsyncEvents
from loki.client.async_tools import AsyncTools
from loki.client.client import OPTIONS, Arguments, script_input
from loki.client.credential import NONE, Credentials, open_async_channel, token_metadata
from loki.client.error import LokiClientError, error_of
from loki.client.event import Event, Execution, event_of, execution_of
from loki.client.log import LogQuery, LogRecord, log_request
from loki.client.log import record_of as log_record_of
from loki.client.record import ExecutionRecord, record_of, state_name
from loki.client.reflection import METHODS, Request, Response, older, one_answer
from loki.client.retry import RETRY_PATIENCE_S, Retries
from loki.client.revision import ScriptRevision, revision_of
from loki.client.settings import (
    Settings,
    SettingsUpdate,
    settings_of,
    update_of,
    update_request,
)
from loki.client.stream import EXECUTION_HEADER
from loki.client.system_event import SystemEvent, kind_number, system_event_of
from loki.client.tools import AS_IT_IS
from loki.v1 import (
    device_pb2,
    script_pb2,
    service_pb2,
    service_pb2_grpc,
    settings_pb2,
    settings_pb2_grpc,
)


class AsyncExecutionStream(AsyncEvents[Event]):
    """Iterate for the events; leaving the `async with` block, or `cancel`, ends the execution."""

    async def execution_id(self) -> str:
        """Waits until the server took the request; "" if it refused it.

        Before the first event it may be that of a try that is refused, and made again.
        """
        return await self.header(EXECUTION_HEADER)


class AsyncLokiClient:
    """As LokiClient, for one event loop.

    What is long and done once is LokiClient's alone (backups, schemas, changes of settings), as is
    what goes on by itself after a restart of the server (`follow_events`, `follow_logs`, rows of a
    series); a thread can have one of its own.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float | None = None,
        credentials: Credentials = NONE,
        patience_s: float = RETRY_PATIENCE_S,
    ) -> None:
        """As LokiClient; within a running event loop. Raises: ValueError."""
        self._channel = open_async_channel(address, credentials, OPTIONS)
        self._metadata = token_metadata(credentials)
        stub = service_pb2_grpc.LokiServiceStub
        self._stub: Any = stub(self._channel)  # type: ignore[no-untyped-call]  # Generated so.
        settings = settings_pb2_grpc.SettingsServiceStub
        self._settings: Any = settings(self._channel)  # type: ignore[no-untyped-call]
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._reflection = METHODS[0]
        self.tools = AsyncTools(self, self._typed_names)
        """The scripts as functions: `await client.tools.average(sensor="t1", n=5)`."""
        self.series = AsyncSeriesClient(self._channel, self._call, self._metadata)

    async def get_capabilities(
        self, *, scripts: bool = True
    ) -> service_pb2.GetCapabilitiesResponse:
        """What the device is and offers, with the first `scripts`; `list_scripts` has them all.

        Raises: LokiClientError, as all methods here.
        """
        request = service_pb2.GetCapabilitiesRequest(without_scripts=not scripts)
        response: service_pb2.GetCapabilitiesResponse
        response = await self._call(self._stub.GetCapabilities, request)
        return response

    async def get_children_status(self) -> list[device_pb2.ChildServiceInfo]:
        """How each child fares now."""
        request = service_pb2.GetChildrenStatusRequest()
        return list((await self._call(self._stub.GetChildrenStatus, request)).children)

    async def reset_child(self, child: str) -> int:
        """Put a child back to service that ended too often; its pid."""
        request = service_pb2.ResetChildRequest(child=child)
        pid: int = (await self._call(self._stub.ResetChild, request)).pid
        return pid

    async def get_settings(self, version: int = 0) -> Settings:
        """The settings as they are, or an earlier version."""
        request = settings_pb2.GetSettingsRequest(version=version)
        return settings_of(await self._call(self._settings.GetSettings, request))

    async def update_settings(
        self, values: Mapping[str, Any], *, remove: Iterable[str] = (), expected_version: int = 0
    ) -> SettingsUpdate:
        """As `LokiClient.settings.update`."""
        request = update_request(values, remove, expected_version, validate_only=False)
        return update_of(await self._call(self._settings.UpdateSettings, request))

    async def list_scripts(
        self, pattern: str = "*", language: str = ""
    ) -> AsyncIterator[script_pb2.ScriptCapability]:
        """All scripts whose names match a glob, ordered by name; asks page by page."""
        request = service_pb2.ListScriptsRequest(pattern=pattern, language=language)
        while True:
            page = await self._call(self._stub.ListScripts, request)
            for script in page.scripts:
                yield script
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_script(self, name: str, revision: str = "") -> script_pb2.Script:
        """One script with its source, as it is; with `revision`, as it was."""
        request = service_pb2.GetScriptRequest(name=name, revision=revision)
        response: service_pb2.GetScriptResponse = await self._call(self._stub.GetScript, request)
        return response.script

    async def list_script_revisions(self, name: str) -> AsyncIterator[ScriptRevision]:
        """What a script was and is, the newest first; asks page by page."""
        request = service_pb2.ListScriptRevisionsRequest(name=name)
        while True:
            page = await self._call(self._stub.ListScriptRevisions, request)
            for revision in page.revisions:
                yield revision_of(revision)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def register_script(
        self,
        definition: script_pb2.ScriptDefinition,
        *,
        expected_revision: str = "",
        validate_only: bool = False,
    ) -> script_pb2.Script:
        """Add a script, or replace the revision that is given; what the server made of it."""
        request = service_pb2.RegisterScriptRequest(
            definition=definition, expected_revision=expected_revision, validate_only=validate_only
        )
        response: service_pb2.RegisterScriptResponse
        response = await self._call(self._stub.RegisterScript, request)
        return response.script

    async def rollback_script(
        self, name: str, revision: str, *, expected_revision: str = ""
    ) -> script_pb2.Script:
        """Make an earlier revision the current one again, also of a script that was removed."""
        request = service_pb2.RollbackScriptRequest(
            name=name, revision=revision, expected_revision=expected_revision
        )
        response: service_pb2.RollbackScriptResponse
        response = await self._call(self._stub.RollbackScript, request)
        return response.script

    async def unregister_script(self, name: str, *, expected_revision: str = "") -> None:
        """Remove a script."""
        request = service_pb2.UnregisterScriptRequest(
            name=name, expected_revision=expected_revision
        )
        await self._call(self._stub.UnregisterScript, request)

    async def execute(
        self,
        name: str = "",
        arguments: Arguments | None = None,
        *,
        source: str = "",
        source_name: str = "",
        revision: str = "",
        timeout_s: float | None = None,
    ) -> Execution:
        """Run a script by its name, or a `source` text, and wait for the result.

        Cancelling the task ends the execution.

        Raises: LokiClientError; ValueError for an argument that no script can hold.
        """
        request = service_pb2.ExecuteScriptRequest(
            input=script_input(name, arguments, source, revision, source_name)
        )
        response = await self._call(self._stub.ExecuteScript, request, timeout_s)
        return execution_of(response.execution_id, response.result)

    def stream(
        self,
        name: str = "",
        arguments: Arguments | None = None,
        *,
        source: str = "",
        source_name: str = "",
        revision: str = "",
        timeout_s: float | None = None,
    ) -> AsyncExecutionStream:
        """Run a script and get its events while it runs; the last one is its Result.

        Raises: ValueError for an argument that no script can hold; iterating raises
        LokiClientError.
        """
        request = service_pb2.StreamScriptExecutionRequest(
            input=script_input(name, arguments, source, revision, source_name)
        )
        call = self._begin(self._stub.StreamScriptExecution, request, timeout_s)
        return AsyncExecutionStream(call, event_of)

    async def cancel(self, execution_id: str) -> None:
        """End an execution of anybody's."""
        request = service_pb2.CancelExecutionRequest(execution_id=execution_id)
        await self._call(self._stub.CancelExecution, request)

    async def get_execution(self, execution_id: str) -> ExecutionRecord:
        """One execution, under way or ended; also one whose connection broke."""
        request = service_pb2.GetExecutionRequest(execution_id=execution_id)
        return record_of((await self._call(self._stub.GetExecution, request)).execution)

    async def list_executions(
        self, script: str = "*", state: str = ""
    ) -> AsyncIterator[ExecutionRecord]:
        """As LokiClient.list_executions."""
        request = service_pb2.ListExecutionsRequest(script=script, state=state_name(state))
        while True:
            page = await self._call(self._stub.ListExecutions, request)
            for execution in page.executions:
                yield record_of(execution)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch_events(
        self, kinds: Iterable[str] = (), *, include_recent: bool = False
    ) -> AsyncEvents[SystemEvent]:
        """What happens to the server itself, from now on; ends with an error when it goes away.

        `kinds` are as LokiClient.watch_events has them. Raises: ValueError for an unknown kind;
        iterating raises LokiClientError.
        """
        request = service_pb2.WatchEventsRequest(
            kinds=map(kind_number, kinds), include_recent=include_recent
        )
        call = self._stub.WatchEvents(request, metadata=self._metadata)
        return AsyncEvents(call, _system_event)

    def watch_logs(self, query: LogQuery | None = None) -> AsyncEvents[LogRecord]:
        """What the server has logged, oldest first; with `follow` also what comes.

        Raises: ValueError for an unknown level; iterating raises LokiClientError.
        """
        wanted = query or LogQuery()
        timeout_s = None if wanted.follow else self._timeout_s
        request = log_request(wanted)
        call = self._stub.WatchLogs(request, timeout=timeout_s, metadata=self._metadata)
        return AsyncEvents(call, _log_record)

    async def raw(self, path: str, request: bytes, timeout_s: float | None) -> bytes:
        """Send a request by a method of that path; for `tools`."""
        method = self._channel.unary_unary(path, AS_IT_IS, AS_IT_IS)
        response: bytes = await self._call(method, request, timeout_s)
        return response

    def raw_stream(self, path: str, request: bytes, timeout_s: float | None) -> Any:
        """Begin a call that is answered by a stream; for `tools`."""
        return self._begin(self._channel.unary_stream(path, AS_IT_IS, AS_IT_IS), request, timeout_s)

    async def reflect(self, request: Request) -> Response:
        """Ask server reflection; for `tools`."""
        path = self._reflection
        try:
            response: Response = await self._call(one_answer(self._channel, path), request)
        except LokiClientError as error:
            next_path = older(path, error.code)
            if next_path is None:
                raise
            self._reflection = next_path
            return await self.reflect(request)
        return response

    async def _typed_names(self) -> AsyncIterator[str]:
        async for script in self.list_scripts():
            if script.method:
                yield script.name

    def _begin(self, method: Any, request: Any, timeout_s: float | None) -> Any:
        within_s = self._timeout_s if timeout_s is None else timeout_s

        def begin(timeout_s: float | None) -> Any:
            return method(request, timeout=timeout_s, metadata=self._metadata)

        return AsyncRepeatedCall(begin, Retries(self._patience_s, within_s))

    async def _call(self, method: Any, request: Any, timeout_s: float | None = None) -> Any:
        within_s = self._timeout_s if timeout_s is None else timeout_s
        retries = Retries(self._patience_s, within_s)
        while True:
            try:
                return await method(request, timeout=retries.left_s(), metadata=self._metadata)
            except grpc.RpcError as error:
                pause_s = retries.pause_s(error_of(error))
            await asyncio.sleep(pause_s)

    async def close(self) -> None:
        """End the connection and every call that is under way."""
        await self._channel.close(None)

    async def __aenter__(self) -> "AsyncLokiClient":
        return self

    async def __aexit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()


def _log_record(response: service_pb2.WatchLogsResponse) -> LogRecord:
    return log_record_of(response.record)


def _system_event(response: service_pb2.WatchEventsResponse) -> SystemEvent | None:
    """None for what only says that the watch has begun, and for kinds that we do not know."""
    return system_event_of(response.event) if response.HasField("event") else None
