"""Between the messages of `loki.v1` and those of the actors; no decisions."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec
from google.protobuf.message import Message as ProtoMessage

from loki.errors import ErrorCode, ExecutionError
from loki.grpc_gateway.field import page_size
from loki.messages.access import EVERY_SCRIPT
from loki.messages.engine import ChunkCacheStatistics, EngineStatus
from loki.messages.execution import (
    OutputWritten,
    ProgressMade,
    RunFinished,
    Usage,
    ValueEmitted,
)
from loki.messages.library import ListScripts
from loki.messages.lifecycle import ChildState, ChildStatus
from loki.messages.script import Limits, Origin, Parameter, Script, ValueType
from loki.messages.value import NIL, Packed, ScriptValue, pack, unpack
from loki.messages.value_cache import ValueCacheStatistics
from loki.v1 import device_pb2, execution_pb2, script_pb2, service_pb2, value_pb2
from loki.v1_value import from_proto, to_proto

LUA = "lua"

NAME_OF_TYPE = {t: f"VALUE_TYPE_{t.name}" for t in ValueType}
TYPE_OF_NUMBER = {script_pb2.ValueType.Value(name): t for t, name in NAME_OF_TYPE.items()}
NAME_OF_STATE = {state: f"CHILD_STATE_{state.name}" for state in ChildState}
NAME_OF_ORIGIN = {
    origin: f"SCRIPT_ORIGIN_{origin.name}" for origin in (Origin.FILE, Origin.REGISTERED)
}

# Values.


def packed_of(value: value_pb2.ScriptValue) -> Packed:
    """Raises: InvalidArgument for what is nested too deep."""
    return pack(from_proto(value))


def value_of(packed: Packed | None) -> value_pb2.ScriptValue:
    """Raises: ExecutionError (RETURN_TYPE_MISMATCH) for what no ScriptValue can hold."""
    try:
        return to_proto(None if packed is None else unpack(packed))
    except ValueError as error:
        raise ExecutionError(
            f"the script gave what no answer can hold: {error}",
            code=ErrorCode.RETURN_TYPE_MISMATCH,
        ) from error


def arguments_of(input: execution_pb2.ScriptInput) -> dict[str, Packed]:
    """Raises: InvalidArgument."""
    return {name: packed_of(value) for name, value in input.arguments.items()}


# Scripts.


def definition_of(definition: script_pb2.ScriptDefinition) -> Packed:
    """A registration as the Library takes it: what its sender gave, under a tool file's keys.

    Raises: InvalidArgument for a default value that is nested too deep.
    """
    table: dict[str, ScriptValue] = texts_of(definition, "name", "description", "language")
    table |= type_of(definition.return_type, "return_type")
    table["script"] = {"inline": definition.source}
    if definition.idempotent:
        table["idempotent"] = True
    if definition.wait_for_child_ms:
        table["wait_for_child_ms"] = definition.wait_for_child_ms
    table["parameters"] = [parameter_of(parameter) for parameter in definition.parameters]
    if definition.HasField("limits"):
        table["limits"] = {field.name: value for field, value in definition.limits.ListFields()}
    if definition.HasField("permissions"):
        manifest = definition.permissions.keys
        table["permissions"] = {key: list(allowed.patterns) for key, allowed in manifest.items()}
    return pack(table)


def parameter_of(parameter: script_pb2.ParameterDefinition) -> ScriptValue:
    table: dict[str, ScriptValue] = texts_of(parameter, "name", "description")
    table |= type_of(parameter.type, "type")
    if parameter.HasField("required"):
        table["required"] = parameter.required
    for key, field in ("default", "default_value"), ("minimum", "minimum"), ("maximum", "maximum"):
        if parameter.HasField(field):
            table[key] = from_proto(getattr(parameter, field))
    return table


def texts_of(message: ProtoMessage, *fields: str) -> dict[str, ScriptValue]:
    """Those of the text fields that are set."""
    return {field: text for field in fields if (text := getattr(message, field))}


def type_of(number: int, key: str) -> dict[str, ScriptValue]:
    """Nothing for an unspecified type; the Library names what is missing or unknown."""
    if number == script_pb2.VALUE_TYPE_UNSPECIFIED:
        return {}
    known = TYPE_OF_NUMBER.get(number)
    return {key: known.value if known else f"type {number}"}


def script_to_proto(script: Script, method: str) -> script_pb2.Script:
    """`method` is its typed method, or ""."""
    keys = {
        key: script_pb2.PermissionPatterns(patterns=patterns)
        for key, patterns in script.permissions.items()
    }
    definition = script_pb2.ScriptDefinition(
        name=script.name,
        description=script.description,
        source=script.source,
        language=script.language,
        parameters=map(parameter_to_proto, script.parameters),
        return_type=NAME_OF_TYPE[script.return_type],
        limits=limits_to_proto(script.limits),
        permissions=script_pb2.PermissionManifest(keys=keys),
        idempotent=script.idempotent,
        wait_for_child_ms=script.wait_for_child_ms,
    )
    return script_pb2.Script(
        definition=definition,
        revision=script.revision,
        origin=NAME_OF_ORIGIN[script.origin],
        method=method,
    )


def capability(script: Script, method: str) -> script_pb2.ScriptCapability:
    """`method` is its typed method, or ""."""
    return script_pb2.ScriptCapability(
        name=script.name,
        description=script.description,
        language=script.language,
        parameters=map(parameter_to_proto, script.parameters),
        return_type=NAME_OF_TYPE[script.return_type],
        revision=script.revision,
        origin=NAME_OF_ORIGIN[script.origin],
        limits=limits_to_proto(script.limits),
        idempotent=script.idempotent,
        method=method,
    )


def parameter_to_proto(parameter: Parameter) -> script_pb2.ParameterDefinition:
    default, minimum, maximum = parameter.default, parameter.minimum, parameter.maximum
    return script_pb2.ParameterDefinition(
        name=parameter.name,
        type=NAME_OF_TYPE[parameter.type],
        required=parameter.required,
        description=parameter.description,
        default_value=None if default == NIL else value_of(default),
        minimum=None if minimum is None else to_proto(minimum),
        maximum=None if maximum is None else to_proto(maximum),
    )


def limits_to_proto(limits: Limits) -> script_pb2.ResourceLimits:
    return script_pb2.ResourceLimits(**msgspec.structs.asdict(limits))


def list_request(
    request: service_pb2.ListScriptsRequest, among: tuple[str, ...] = EVERY_SCRIPT
) -> ListScripts:
    """Raises: InvalidArgument for a negative page size."""
    return ListScripts(
        pattern=request.pattern or "*",
        language=request.language,
        page_size=page_size(request),
        page=request.page_token,
        among=among,
    )


# Executions.


def usage_to_proto(usage: Usage) -> execution_pb2.Usage:
    figures = msgspec.structs.asdict(usage)
    figures["budgets"] = limits_to_proto(usage.budgets)
    return execution_pb2.Usage(**figures)


def output_to_proto(finished: RunFinished) -> execution_pb2.ScriptOutput:
    return execution_pb2.ScriptOutput(text=finished.output, truncated=finished.output_truncated)


def result(finished: RunFinished) -> execution_pb2.ScriptResult:
    """Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    return execution_pb2.ScriptResult(
        value=value_of(finished.value),
        output=output_to_proto(finished),
        usage=usage_to_proto(finished.usage),
    )


def script_error(finished: RunFinished) -> execution_pb2.ScriptError:
    details: Mapping[str, str] = finished.failure.details if finished.failure else {}
    return execution_pb2.ScriptError(
        script=finished.script,
        cause=finished.cause.value,
        line=line_in(details),
        traceback=details.get("traceback", ""),
        output=output_to_proto(finished),
        usage=usage_to_proto(finished.usage),
        execution_id=finished.run,
    )


def line_in(details: Mapping[str, str]) -> int:
    """The line that a failure names; 0 where it names none."""
    line = details.get("line", "")
    return int(line) if line.isascii() and line.isdigit() and len(line) < 10 else 0


Event: TypeAlias = OutputWritten | ProgressMade | ValueEmitted | RunFinished


def stream_response(
    event: Event, sequence: int, now_ns: int
) -> service_pb2.StreamScriptExecutionResponse:
    """Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    response = service_pb2.StreamScriptExecutionResponse(sequence=sequence, execution_id=event.run)
    response.time.FromNanoseconds(now_ns)
    match event:
        case OutputWritten():
            response.output.text = event.text
        case ProgressMade():
            response.progress.fraction = event.fraction
            response.progress.text = event.text
        case ValueEmitted():
            response.value.CopyFrom(value_of(event.value))
        case RunFinished():
            response.result.CopyFrom(result(event))
    return response


# Children and engines.


def engines_to_proto(
    engines: Iterable[EngineStatus], module_cache: ChunkCacheStatistics | None
) -> list[device_pb2.EngineInfo]:
    return [
        device_pb2.EngineInfo(
            language=engine.language,
            version=engine.version,
            walls=[device_pb2.Wall(**msgspec.structs.asdict(wall)) for wall in engine.walls],
            chunk_cache=cache_to_proto(engine.chunk_cache),
            module_cache=cache_to_proto(module_cache),
        )
        for engine in engines
    ]


def cache_to_proto(cache: ChunkCacheStatistics | None) -> device_pb2.ChunkCacheStatistics | None:
    """None is a cache that nobody can ask now, or that there is not."""
    if cache is None:
        return None
    return device_pb2.ChunkCacheStatistics(**msgspec.structs.asdict(cache))


def value_cache_to_proto(
    cache: ValueCacheStatistics | None,
) -> device_pb2.ValueCacheStatistics | None:
    """None is a cache that nobody can ask now, or that there is not."""
    if cache is None:
        return None
    return device_pb2.ValueCacheStatistics(**msgspec.structs.asdict(cache))


def children_to_proto(children: Iterable[ChildStatus]) -> list[device_pb2.ChildServiceInfo]:
    return [
        device_pb2.ChildServiceInfo(
            name=child.name,
            service=child.service,
            enabled=child.state is not ChildState.DISABLED,
            state=NAME_OF_STATE[child.state],
            node=child.address,
            pid=child.pid,
            restarts=child.restarts,
            last_error=child.last_error,
            uptime_s=child.uptime_s,
            heartbeat_age_s=child.heartbeat_age_s,
            supervisor=child.supervisor,
        )
        for child in children
    ]
