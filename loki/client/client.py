"""Calls a Loki server with plain Python values."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import IO, Any, TypeAlias

import grpc

from loki.client.backup import BackupStream, RestoreStream
from loki.client.credential import NONE, Credentials, open_channel
from loki.client.descriptor_files import Report
from loki.client.error import error_of
from loki.client.event import Execution, execution_of
from loki.client.log import LogQuery, LogRecord, LogWatch, follow_log, log_request
from loki.client.record import ExecutionRecord, record_of, state_name
from loki.client.repeated_call import RepeatedCall
from loki.client.retry import RETRY_PATIENCE_S, Retries
from loki.client.revision import ScriptRevision, revision_of
from loki.client.schema import ServerSchema, read_schema
from loki.client.series import SeriesClient
from loki.client.settings import SettingsClient
from loki.client.stream import ExecutionStream
from loki.client.system_event import SystemEvent, kind_number
from loki.client.tools import ChannelLink, Tools
from loki.client.watch import PATIENCE_S, EventWatch, FollowReport, follow
from loki.v1 import (
    backup_pb2,
    backup_pb2_grpc,
    device_pb2,
    execution_pb2,
    script_pb2,
    service_pb2,
    service_pb2_grpc,
)
from loki.v1_value import Value, fill

Arguments: TypeAlias = Mapping[str, Value]
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),  # A gateway that restarts is back much earlier.
    ("grpc.keepalive_time_ms", 60_000),  # Else a watch would wait for a device without power.
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),  # No limit: a watch may be silent for days.
)


class LokiClient:
    """A connection to one server, opened at the first call. Safe to share between threads."""

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float | None = None,
        credentials: Credentials = NONE,
        patience_s: float = RETRY_PATIENCE_S,
    ) -> None:
        """`address` is "host:port"; `timeout_s` bounds each call that says nothing else.

        Executions have no bound of their own unless given: the script's budget ends them.

        A call that the server refused for now, of which nothing was done, is sent again as the
        server asks for it, for up to `patience_s` seconds; 0 leaves that to the caller. So is a
        script's stream, as it is read, until its first event came.

        Raises: ValueError for `credentials` that do not fit together, or would be given away.
        """
        self._channel = open_channel(address, credentials, OPTIONS)
        stub = service_pb2_grpc.LokiServiceStub
        self._stub: Any = stub(self._channel)  # type: ignore[no-untyped-call]  # Generated so.
        backups = backup_pb2_grpc.BackupServiceStub
        self._backups: Any = backups(self._channel)  # type: ignore[no-untyped-call]
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self.tools = Tools(ChannelLink(self._channel, self._call, self._begin), self._typed_names)
        """The scripts as functions: `client.tools.average(sensor="t1", n=5)`."""
        self.series = SeriesClient(self._channel, self._call, patience_s)
        self.settings = SettingsClient(self._channel, self._call)

    def get_capabilities(self, *, scripts: bool = True) -> service_pb2.GetCapabilitiesResponse:
        """What the device is and offers, with the first `scripts`; `list_scripts` has them all.

        Raises: LokiClientError, as all methods here.
        """
        request = service_pb2.GetCapabilitiesRequest(without_scripts=not scripts)
        response: service_pb2.GetCapabilitiesResponse
        response = self._call(self._stub.GetCapabilities, request)
        return response

    def get_children_status(self) -> list[device_pb2.ChildServiceInfo]:
        """How each child fares now."""
        request = service_pb2.GetChildrenStatusRequest()
        return list(self._call(self._stub.GetChildrenStatus, request).children)

    def reset_child(self, child: str) -> int:
        """Put a child back to service that ended too often; its pid."""
        request = service_pb2.ResetChildRequest(child=child)
        pid: int = self._call(self._stub.ResetChild, request).pid
        return pid

    def list_scripts(
        self, pattern: str = "*", language: str = ""
    ) -> Iterator[script_pb2.ScriptCapability]:
        """All scripts whose names match a glob, ordered by name; asks page by page."""
        request = service_pb2.ListScriptsRequest(pattern=pattern, language=language)
        while True:
            page = self._call(self._stub.ListScripts, request)
            yield from page.scripts
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get_schema(self, pattern: str = "*", *, report: Report | None = None) -> ServerSchema:
        """The API and the typed methods of all scripts whose names match a glob, as descriptors.

        `report` is told how many of how many files have come. Raises: also ValueError, for a
        server whose answers define nothing valid.
        """
        return read_schema(self._channel, self.list_scripts(pattern), self._timeout_s, report)

    def get_script(self, name: str, revision: str = "") -> script_pb2.Script:
        """One script with its source, as it is; with `revision`, as it was."""
        request = service_pb2.GetScriptRequest(name=name, revision=revision)
        response: service_pb2.GetScriptResponse = self._call(self._stub.GetScript, request)
        return response.script

    def list_script_revisions(self, name: str) -> Iterator[ScriptRevision]:
        """What a script was and is, the newest first; asks page by page."""
        request = service_pb2.ListScriptRevisionsRequest(name=name)
        while True:
            page = self._call(self._stub.ListScriptRevisions, request)
            yield from map(revision_of, page.revisions)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def register_script(
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
        response = self._call(self._stub.RegisterScript, request)
        return response.script

    def rollback_script(
        self, name: str, revision: str, *, expected_revision: str = ""
    ) -> script_pb2.Script:
        """Make an earlier revision the current one again, also of a script that was removed."""
        request = service_pb2.RollbackScriptRequest(
            name=name, revision=revision, expected_revision=expected_revision
        )
        response: service_pb2.RollbackScriptResponse
        response = self._call(self._stub.RollbackScript, request)
        return response.script

    def unregister_script(self, name: str, *, expected_revision: str = "") -> None:
        """Remove a script."""
        request = service_pb2.UnregisterScriptRequest(
            name=name, expected_revision=expected_revision
        )
        self._call(self._stub.UnregisterScript, request)

    def execute(
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

        Error messages call the source `source_name`.

        Raises: LokiClientError; ValueError for an argument that no script can hold.
        """
        request = service_pb2.ExecuteScriptRequest(
            input=script_input(name, arguments, source, revision, source_name)
        )
        response = self._call(self._stub.ExecuteScript, request, timeout_s)
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
    ) -> ExecutionStream:
        """Run a script and get its events while it runs; the last one is its Result.

        Raises: ValueError for an argument that no script can hold; iterating raises
        LokiClientError.
        """
        request = service_pb2.StreamScriptExecutionRequest(
            input=script_input(name, arguments, source, revision, source_name)
        )
        return ExecutionStream(self._begin(self._stub.StreamScriptExecution, request, timeout_s))

    def cancel(self, execution_id: str) -> None:
        """End an execution of anybody's."""
        request = service_pb2.CancelExecutionRequest(execution_id=execution_id)
        self._call(self._stub.CancelExecution, request)

    def watch_events(
        self,
        kinds: Iterable[str] = (),
        *,
        after_sequence: int = 0,
        log_id: str = "",
        include_recent: bool = False,
    ) -> EventWatch:
        """What happens to the server itself, from now on; ends with an error when it goes away.

        `kinds` are of "child", "script", "config" and "budget"; none is all. `include_recent`
        begins with what happened before; `after_sequence` and `log_id`, which an earlier watch
        has, with what happened since then. Raises: ValueError for an unknown kind; iterating
        raises LokiClientError.
        """
        request = service_pb2.WatchEventsRequest(
            kinds=map(kind_number, kinds),
            after_sequence=after_sequence,
            log_id=log_id,
            include_recent=include_recent,
        )
        return EventWatch(self._stub.WatchEvents(request), after_sequence, log_id)

    def follow_events(
        self,
        kinds: Iterable[str] = (),
        *,
        include_recent: bool = False,
        report: FollowReport | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Iterator[SystemEvent]:
        """`watch_events` that goes on where it was when the server comes back.

        `report` is told of that. Raises: ValueError for an unknown kind; LokiClientError when the
        server stays away for `patience_s` seconds.
        """
        wanted = tuple(kinds)

        def open_watch(sequence: int, log_id: str) -> EventWatch:
            return self.watch_events(
                wanted, after_sequence=sequence, log_id=log_id, include_recent=include_recent
            )

        return follow(open_watch, report or FollowReport(), patience_s)

    def get_execution(self, execution_id: str) -> ExecutionRecord:
        """One execution, under way or ended; also one whose connection broke."""
        request = service_pb2.GetExecutionRequest(execution_id=execution_id)
        return record_of(self._call(self._stub.GetExecution, request).execution)

    def list_executions(self, script: str = "*", state: str = "") -> Iterator[ExecutionRecord]:
        """Those whose scripts match a glob, the newest first; asks page by page.

        `state` is "queued", "running", "finished" or "failed"; "" is all. Raises: ValueError for
        another state.
        """
        request = service_pb2.ListExecutionsRequest(script=script, state=state_name(state))
        while True:
            page = self._call(self._stub.ListExecutions, request)
            yield from map(record_of, page.executions)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch_logs(self, query: LogQuery | None = None) -> LogWatch:
        """What the server has logged, oldest first; with `follow` also what comes.

        Raises: ValueError for an unknown level; iterating raises LokiClientError.
        """
        wanted = query or LogQuery()
        timeout_s = None if wanted.follow else self._timeout_s
        return LogWatch(self._stub.WatchLogs(log_request(wanted), timeout=timeout_s))

    def follow_logs(
        self,
        query: LogQuery | None = None,
        *,
        report: FollowReport | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Iterator[LogRecord]:
        """`watch_logs` that follows, and goes on where it was when the server comes back.

        `report` is told of that. Raises: ValueError for an unknown level; LokiClientError when the
        server stays away for `patience_s` seconds.
        """
        wanted = replace(query or LogQuery(), follow=True)
        return follow_log(self.watch_logs, wanted, report or FollowReport(), patience_s)

    def create_backup(self) -> BackupStream:
        """All that the device keeps, as it is now; it may take as long as it takes.

        Iterating raises LokiClientError.
        """
        return BackupStream(self._backups.CreateBackup(backup_pb2.CreateBackupRequest()))

    def restore_backup(self, archive: IO[bytes]) -> RestoreStream:
        """Send a backup back; it takes the place of all that the device keeps once it is told to.

        The stream's methods raise LokiClientError.
        """
        return RestoreStream(self._backups.RestoreBackup, archive)

    def _typed_names(self) -> Iterator[str]:
        return (script.name for script in self.list_scripts() if script.method)

    def _begin(self, method: Any, request: Any, timeout_s: float | None) -> RepeatedCall:
        within_s = self._timeout_s if timeout_s is None else timeout_s

        def begin(timeout_s: float | None) -> Any:
            return method(request, timeout=timeout_s)

        return RepeatedCall(begin, Retries(self._patience_s, within_s))

    def _call(self, method: Any, request: Any, timeout_s: float | None = None) -> Any:
        within_s = self._timeout_s if timeout_s is None else timeout_s
        retries = Retries(self._patience_s, within_s)
        while True:
            try:
                return method(request, timeout=retries.left_s())
            except grpc.RpcError as error:
                time.sleep(retries.pause_s(error_of(error)))

    def close(self) -> None:
        """End the connection and every call that is under way."""
        self._channel.close()

    def __enter__(self) -> "LokiClient":
        return self

    def __exit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()


def script_input(
    name: str,
    arguments: Arguments | None,
    source: str,
    revision: str,
    source_name: str = "",
) -> execution_pb2.ScriptInput:
    """Raises: ValueError for an argument that no script can hold."""
    message = execution_pb2.ScriptInput(revision=revision)
    if source:
        message.source = source
        message.source_name = source_name
    else:
        message.name = name
    for key, value in (arguments or {}).items():
        fill(message.arguments[key], value, key)
    return message
