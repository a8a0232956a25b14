"""A client that answers from what a test gives it, and a way to run one command against it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import typer.testing

from loki.cli.app import app
from loki.client import (
    Credentials,
    Event,
    Execution,
    ExecutionRecord,
    FollowReport,
    LogQuery,
    LogRecord,
    LokiClientError,
    ScriptRevision,
    ServerSchema,
    Usage,
)
from loki.v1 import device_pb2, execution_pb2, script_pb2, service_pb2

USAGE = Usage(wall_ms=12.34, cpu_ms=1.25, peak_memory_bytes=36 * 1024)


def execution(value: Any, output: str = "") -> Execution:
    return Execution(id="x1", value=value, output=output, output_truncated=False, usage=USAGE)


def definition(name: str, /, **parameters: int) -> script_pb2.ScriptDefinition:
    """Parameters as name to type number, all of them required."""
    made = script_pb2.ScriptDefinition(name=name, description=f"Does {name}", source="return 1")
    for parameter, type_ in parameters.items():
        made.parameters.add(name=parameter, type=type_, required=True)
    return made


def script_error() -> LokiClientError:
    detail = execution_pb2.ScriptError(
        script="broken",
        cause="script_error",
        line=3,
        execution_id="x7",
        traceback="broken.lua:3: in function 'inner'\nbroken.lua:7: in main chunk",
        output=execution_pb2.ScriptOutput(text="before\n"),
        usage=execution_pb2.Usage(wall_ms=1.5),
    )
    return LokiClientError(
        "broken.lua:3: no such thing",
        code=grpc.StatusCode.UNKNOWN,
        reason="SCRIPT_ERROR",
        details={"line": "3"},
        script_error=detail,
    )


def not_found(name: str) -> LokiClientError:
    return LokiClientError(
        f"there is no script '{name}'; did you mean 'hello'?",
        code=grpc.StatusCode.NOT_FOUND,
        reason="SCRIPT_NOT_FOUND",
    )


def unreachable() -> LokiClientError:
    return LokiClientError("failed to connect to all addresses", code=grpc.StatusCode.UNAVAILABLE)


class FakeStream:
    """Gives its events, then raises its error if it has one."""

    def __init__(self, events: Sequence[Any], error: BaseException | None) -> None:
        self._events, self._error = events, error
        self.execution_id = "x1"
        self.left = False

    def __enter__(self) -> "FakeStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True

    def __iter__(self) -> Iterator[Any]:
        yield from self._events
        if self._error:
            raise self._error


@dataclass
class FakeClient:
    """Implements what commands use of LokiClient; `calls` is what they asked."""

    scripts: dict[str, script_pb2.ScriptDefinition] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    """Typed methods by script; of those only that have one."""
    result: Execution = field(default_factory=lambda: execution(None))
    events: list[Event] = field(default_factory=list)
    children: list[device_pb2.ChildServiceInfo] = field(default_factory=list)
    engines: list[device_pb2.EngineInfo] = field(default_factory=list)
    value_cache: device_pb2.ValueCacheStatistics | None = None
    system_events: list[Any] = field(default_factory=list)
    loses_connection: LokiClientError | None = None
    revisions: list[ScriptRevision] = field(default_factory=list)
    records: list[ExecutionRecord] = field(default_factory=list)
    registered_as: str = "r2"
    schema: ServerSchema = field(default_factory=lambda: ServerSchema((), ()))
    log: list[LogRecord] = field(default_factory=list)
    interrupts: bool = False  # Whether Ctrl-C ends the log.
    error: LokiClientError | None = None
    refused: dict[str, LokiClientError] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    address: str = ""
    source_names: list[str] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)

    def __call__(
        self,
        address: str,
        *,
        timeout_s: float | None = None,
        credentials: Credentials,
        patience_s: float,
    ) -> "FakeClient":
        """Commands tell at once that a call may be made again; the client itself would wait."""
        assert patience_s == 0
        self.credentials = credentials
        self.address = address
        return self

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append(("close",))

    def _fail_if_told(self) -> None:
        if self.error:
            raise self.error

    def get_script(self, name: str, revision: str = "") -> script_pb2.Script:
        self._fail_if_told()
        if revision:
            self.calls.append(("get", name, revision))
        if name not in self.scripts:
            raise not_found(name)
        origin = script_pb2.SCRIPT_ORIGIN_REGISTERED
        method = self.methods.get(name, "")
        return script_pb2.Script(
            definition=self.scripts[name], revision="r1", origin=origin, method=method
        )

    def list_script_revisions(self, name: str) -> Iterator[ScriptRevision]:
        self._fail_if_told()
        self.calls.append(("revisions", name))
        return iter(self.revisions)

    def list_scripts(self, pattern: str = "*") -> Iterator[script_pb2.ScriptCapability]:
        self._fail_if_told()
        self.calls.append(("list", pattern))
        for made in self.scripts.values():
            yield script_pb2.ScriptCapability(
                name=made.name,
                description=made.description,
                parameters=made.parameters,
                method=self.methods.get(made.name, ""),
            )

    def get_schema(self, pattern: str, *, report: Callable[[int, int], None]) -> ServerSchema:
        self._fail_if_told()
        self.calls.append(("schema", pattern))
        for done in range(len(self.schema.scripts)):
            report(done + 1, len(self.schema.scripts))
        return self.schema

    def execute(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        source: str = "",
        source_name: str = "",
        timeout_s: float | None = None,
    ) -> Execution:
        self._fail_if_told()
        self.source_names.append(source_name)
        self.calls.append(("execute", name or source, dict(arguments), timeout_s))
        return self.result

    def stream(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        source: str = "",
        source_name: str = "",
        timeout_s: float | None = None,
    ) -> FakeStream:
        self.source_names.append(source_name)
        self.calls.append(("stream", name or source, dict(arguments), timeout_s))
        self.streams.append(FakeStream(self.events, self.error))
        return self.streams[-1]

    def watch_logs(self, query: LogQuery) -> Iterator[LogRecord]:
        self._fail_if_told()
        self.calls.append(("watch_logs", query))
        return iter(FakeStream(self.log, KeyboardInterrupt() if self.interrupts else None))

    def follow_logs(self, query: LogQuery, *, report: FollowReport) -> Iterator[LogRecord]:
        self._fail_if_told()
        self.calls.append(("follow_logs", query))
        return iter(FakeStream(self.log, KeyboardInterrupt() if self.interrupts else None))

    def register_script(
        self, made: script_pb2.ScriptDefinition, *, expected_revision: str = ""
    ) -> script_pb2.Script:
        self._fail_if_told()
        self.calls.append(("register", made.name, expected_revision))
        if made.name in self.refused:
            raise self.refused[made.name]
        return script_pb2.Script(definition=made, revision=self.registered_as)

    def rollback_script(
        self, name: str, revision: str, *, expected_revision: str = ""
    ) -> script_pb2.Script:
        self._fail_if_told()
        self.calls.append(("rollback", name, revision, expected_revision))
        return script_pb2.Script(
            definition=script_pb2.ScriptDefinition(name=name), revision=revision
        )

    def unregister_script(self, name: str) -> None:
        self._fail_if_told()
        self.calls.append(("unregister", name))

    def watch_events(self, kinds: list[str], *, include_recent: bool) -> SimpleNamespace:
        self.calls.append(("watch_events", kinds, include_recent))
        return SimpleNamespace(recent=self._happen)

    def follow_events(
        self, kinds: list[str], *, include_recent: bool, report: FollowReport
    ) -> Iterator[Any]:
        self.calls.append(("follow_events", kinds, include_recent))
        if self.loses_connection:
            report.lost(self.loses_connection)
            report.back()
            report.missed(7)
            report.missed(0)
        return self._happen()

    def _happen(self) -> Iterator[Any]:
        self._fail_if_told()
        for event in self.system_events:
            if isinstance(event, KeyboardInterrupt):
                raise event
            yield event

    def get_execution(self, execution_id: str) -> ExecutionRecord:
        self._fail_if_told()
        return next(each for each in self.records if each.id == execution_id)

    def list_executions(self, script: str, state: str) -> Iterator[ExecutionRecord]:
        self._fail_if_told()
        self.calls.append(("executions", script, state))
        yield from self.records

    def cancel(self, execution_id: str) -> None:
        self._fail_if_told()
        self.calls.append(("cancel", execution_id))

    def get_capabilities(self, *, scripts: bool = True) -> service_pb2.GetCapabilitiesResponse:
        self._fail_if_told()
        device = device_pb2.DeviceInfo(
            cores=4,
            memory_bytes=2 << 30,
            architecture="aarch64",
            model="Raspberry Pi 4",
            buses=["i2c-1", "spidev0.0"],
        )
        return service_pb2.GetCapabilitiesResponse(
            version="9.9.9",
            device=device,
            engines=self.engines,
            value_cache=self.value_cache,
            scripts=[script_pb2.ScriptCapability(name="average")] if scripts else [],
            script_count=1234,
        )

    def get_children_status(self) -> list[device_pb2.ChildServiceInfo]:
        return self.children

    def reset_child(self, child: str) -> int:
        self._fail_if_told()
        self.calls.append(("reset", child))
        return 4712


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr("loki.client.LokiClient", fake)
    monkeypatch.delenv("LOKI_SERVER", raising=False)
    return fake


@pytest.fixture
def loki() -> Callable[..., Any]:
    """Runs one command: `.exit_code`, `.stdout`, `.stderr`."""
    runner = typer.testing.CliRunner()
    return lambda *words, stdin=None: runner.invoke(app, list(words), input=stdin)


@pytest.fixture
def make() -> Callable[..., script_pb2.ScriptDefinition]:
    return definition


@pytest.fixture
def run_of() -> Callable[..., Execution]:
    return execution


@pytest.fixture
def errors() -> SimpleNamespace:
    return SimpleNamespace(script_error=script_error, not_found=not_found, unreachable=unreachable)
