"""Scripts and their definitions in the messages of `loki.v1`; no decisions."""

import msgspec
from google.protobuf.message import Message as ProtoMessage

from loki.grpc_gateway.convert.field import page_size
from loki.grpc_gateway.convert.value import value_of
from loki.messages.access import EVERY_SCRIPT
from loki.messages.library import ListScripts
from loki.messages.script import Limits, Origin, Parameter, Script, ValueType
from loki.messages.value import NIL, Packed, ScriptValue, pack
from loki.v1 import script_pb2, service_pb2
from loki.v1_value import from_proto, to_proto

LUA = "lua"

NAME_OF_TYPE = {t: f"VALUE_TYPE_{t.name}" for t in ValueType}
TYPE_OF_NUMBER = {script_pb2.ValueType.Value(name): t for t, name in NAME_OF_TYPE.items()}
NAME_OF_ORIGIN = {
    origin: f"SCRIPT_ORIGIN_{origin.name}" for origin in (Origin.FILE, Origin.REGISTERED)
}


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
