"""Scripts of a server as plain data, and files as scripts to register."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from loki.cli.view import Json, jsonable

if TYPE_CHECKING:
    from datetime import datetime

    from google.protobuf.message import Message

    from loki.client import ScriptRevision
    from loki.v1 import script_pb2


AROUND_COLUMNS = 3 * 3 + 3
"""Characters between the four columns of a list, and beside them."""
LEAST_DESCRIPTION = 20


def type_name(value_type: int) -> str:
    """A declared type as in tool files; "any" where none is declared."""
    from loki.v1 import script_pb2

    name = script_pb2.ValueType.Name(value_type)
    return "any" if name.endswith("UNSPECIFIED") else name.removeprefix("VALUE_TYPE_").lower()


def type_number(name: str, known: Sequence[str]) -> int:
    """Raises: ValueError that says which types are `known`."""
    from loki.v1 import script_pb2

    if name not in known:
        raise ValueError(f"{name!r} is no type; there are {', '.join(known)}")
    number: int = script_pb2.ValueType.Value(f"VALUE_TYPE_{name.upper()}")
    return number


def types_of(definition: "script_pb2.ScriptDefinition") -> dict[str, str]:
    """Declared type by parameter name."""
    return {parameter.name: type_name(parameter.type) for parameter in definition.parameters}


def signature(script: "script_pb2.ScriptCapability | script_pb2.ScriptDefinition") -> str:
    """Such as "sensor: string, n: integer = 5"; what is neither required nor has a default
    ends in "?".
    """
    from loki.v1_value import from_proto

    words = []
    for parameter in script.parameters:
        word = f"{parameter.name}: {type_name(parameter.type)}"
        if parameter.HasField("default_value"):
            word += f" = {jsonable(from_proto(parameter.default_value))}"
        words.append(word if parameter.required or " = " in word else word + "?")
    return ", ".join(words)


def list_rows(
    scripts: "Sequence[script_pb2.ScriptCapability]", width: int
) -> list[tuple[str, ...]]:
    """Name, parameters, result and description; the two long ones are cut so that rows fit."""
    rows = [
        (script.name, cut(signature(script), width * 2 // 5), type_name(script.return_type))
        for script in scripts
    ]
    used = sum(max(map(len, column)) for column in zip(*rows, strict=True)) + AROUND_COLUMNS
    room = max(width - used, LEAST_DESCRIPTION)
    return [
        (*row, cut(script.description, room)) for row, script in zip(rows, scripts, strict=True)
    ]


def cut(text: str, width: int) -> str:
    """The start of the text, with an ellipsis where that is not all."""
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def parameter_json(parameter: "script_pb2.ParameterDefinition") -> dict[str, Json]:
    """A parameter with only the bounds and the default that it has."""
    from loki.v1_value import from_proto

    plain: dict[str, Json] = {
        "name": parameter.name,
        "type": type_name(parameter.type),
        "required": parameter.required,
        "description": parameter.description,
    }
    for key in ("default_value", "minimum", "maximum"):
        if parameter.HasField(key):
            plain[key.removesuffix("_value")] = jsonable(from_proto(getattr(parameter, key)))
    return plain


def capability_json(script: "script_pb2.ScriptCapability") -> dict[str, Json]:
    """What ListScripts tells of one script."""
    return shape_json(script) | {
        "method": script.method,
        "revision": script.revision,
        "origin": origin_name(script.origin),
    }


def script_json(script: "script_pb2.Script") -> dict[str, Json]:
    """What GetScript tells."""
    definition = script.definition
    return shape_json(definition) | {
        "method": script.method,
        "permissions": permissions_of(definition),
        "wait_for_child_ms": definition.wait_for_child_ms,
        "source": definition.source,
        "revision": script.revision,
        "origin": origin_name(script.origin),
    }


def shape_json(
    script: "script_pb2.ScriptCapability | script_pb2.ScriptDefinition",
) -> dict[str, Json]:
    """What both kinds have in common."""
    return {
        "name": script.name,
        "description": script.description,
        "language": script.language,
        "parameters": [parameter_json(parameter) for parameter in script.parameters],
        "return_type": type_name(script.return_type),
        "limits": limits_of(script),
        "idempotent": script.idempotent,
    }


def limits_of(
    script: "script_pb2.ScriptCapability | script_pb2.ScriptDefinition",
) -> dict[str, Json]:
    """Budgets by their names in tool files."""
    return {field.name: value for field, value in script.limits.ListFields()}


def permissions_of(definition: "script_pb2.ScriptDefinition") -> dict[str, list[str]]:
    """The manifest, ordered by key."""
    keys = definition.permissions.keys
    return {key: list(keys[key].patterns) for key in sorted(keys)}


def limit_words(limits: Mapping[str, Json]) -> str:
    """For people. A script without a limit of its own for the disk has that of the device."""
    words = {"max_disk_mb": "the device's quota"}
    shown = (f"{key} = {value or words.get(key, 'no limit')}" for key, value in limits.items())
    return ", ".join(shown)


def permission_words(permissions: Mapping[str, Sequence[str]]) -> str:
    """As people write them, but for the quotes: a switch that is on is true."""
    from loki import bootstrap

    flags = bootstrap.permission_flags() if ["*"] in permissions.values() else frozenset()
    shown = (
        f"{key} = {'true' if key in flags else ', '.join(patterns)}"
        for key, patterns in permissions.items()
    )
    return "; ".join(shown) or "none"


def undeclared(file: Path, definition: "script_pb2.ScriptDefinition") -> str:
    """What to tell of a script that declares nothing, which is hardly meant; else "".

    Raises: ConfigurationError.
    """
    from loki.tool.header import header_of

    if file.suffix != ".lua" or header_of(definition.source, file, {}) is not None:
        return ""
    returns = type_name(definition.return_type)
    given = "nothing" if returns == "void" else returns
    return (
        f"{file} has no `--- loki:` header: it takes no arguments and returns {given}; "
        "`loki lua-api` and docs/how-to/write-a-script.md show what to declare"
    )


def origin_name(origin: int) -> str:
    """ "file" or "registered"."""
    from loki.v1 import script_pb2

    name: str = script_pb2.ScriptOrigin.Name(origin)
    return name.removeprefix("SCRIPT_ORIGIN_").lower()


def read_definitions(file: Path) -> list["script_pb2.ScriptDefinition"]:
    """The scripts of a tool file, each with its source in it.

    Raises: ConfigurationError, ValueError; both name the file and the key.
    """
    from loki.tool.document import read_document

    entries = read_document(file).data.get("tools", [])
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{file}: has no [[tools]] entries")
    return [_definition(entry, file, number) for number, entry in enumerate(entries, start=1)]


def read_definition(file: Path, name: str, returns: str) -> "script_pb2.ScriptDefinition":
    """A .lua file as its header declares it, if it has one; name and type may be given instead.

    Raises: ConfigurationError, ValueError.
    """
    source = read_source(file)
    entry: dict[str, Any] = {"return_type": "void", **_declared(source, file)}
    given = {"name": name, "return_type": returns}
    entry |= {key: value for key, value in given.items() if value}
    return build_definition(entry, file.parent)


def declared_types(source: str, file: Path) -> dict[str, str]:
    """Type by parameter name, as the header of a source declares them; without one, none.

    Raises: ConfigurationError, ValueError.
    """
    return types_of(build_definition(_declared(source, file), file.parent))


def _declared(source: str, file: Path) -> dict[str, Any]:
    """An entry of a tool file that is a script, with what its header says."""
    from loki.tool.header import header_of

    script: dict[str, object] = {"inline": source}
    header = header_of(source, file, script)
    match header and header.data:
        case {"tools": [dict(declared)]}:
            return declared
    return {"name": file.stem, "script": script}


def read_source(file: Path) -> str:
    """Raises: ConfigurationError for a file that is missing, too large or not UTF-8."""
    from loki.tool.definition import MAX_SOURCE_BYTES
    from loki.tool.document import read_text

    return read_text(file, MAX_SOURCE_BYTES)


def _definition(entry: Any, file: Path, number: int) -> "script_pb2.ScriptDefinition":
    place = f"{file}: tools[{number}]"
    if not isinstance(entry, dict):
        raise ValueError(f"{place}: must be a table")
    try:
        return build_definition(entry, file.parent)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{place} {entry.get('name', '')!r}: {error}") from None


def build_definition(entry: dict[str, Any], folder: Path) -> "script_pb2.ScriptDefinition":
    """One entry of a tool file as the API has it; the server checks the rules.

    Raises: ValueError or TypeError for a shape that the API has no field for.
    """
    from loki.tool.definition import ReturnType
    from loki.v1 import script_pb2

    plain = dict(entry)
    parameters = plain.pop("parameters", [])
    plain["source"] = _source(plain.pop("script", {}), folder)
    plain["return_type"] = type_number(plain.get("return_type", "void"), get_args(ReturnType))
    if "permissions" in plain:
        allowed = {key: _patterns(value) for key, value in dict(plain["permissions"]).items()}
        plain["permissions"] = {"keys": {key: {"patterns": p} for key, p in allowed.items() if p}}
    definition = script_pb2.ScriptDefinition()
    _parse(plain, definition)
    for parameter in parameters:
        definition.parameters.append(_parameter(parameter))
    return definition


def _parameter(entry: dict[str, Any]) -> "script_pb2.ParameterDefinition":
    from loki.tool.definition import ParameterType
    from loki.v1 import script_pb2
    from loki.v1_value import fill

    plain = dict(entry)
    values = {key: plain.pop(key) for key in ("default", "minimum", "maximum") if key in plain}
    plain["type"] = type_number(plain.get("type", ""), get_args(ParameterType))
    plain.setdefault("required", "default" not in values)
    parameter = script_pb2.ParameterDefinition()
    _parse(plain, parameter)
    for key, value in values.items():
        fill(getattr(parameter, "default_value" if key == "default" else key), value, key)
    return parameter


def _parse(plain: dict[str, Any], message: "Message") -> None:
    from google.protobuf import json_format

    try:
        json_format.ParseDict(plain, message)
    except json_format.ParseError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _source(script: Any, folder: Path) -> str:
    match script:
        case {"inline": str(source), **rest} if not rest:
            return source
        case {"path": str(path), **rest} if not rest:
            return read_source(folder / path)
    raise ValueError('script: give exactly one of path = "FILE.lua" and inline = "SOURCE"')


def _patterns(value: object) -> list[str]:
    """The API's form of a permission: names, "*" for a switch that is on, a mode as it is."""
    match value:
        case bool():
            return ["*"] if value else []
        case list():
            return [str(item) for item in value]
        case _:
            return [str(value)]


def revision_json(revision: "ScriptRevision") -> dict[str, Json]:
    """Times are in UTC."""
    registered, since = revision.registered, revision.current_since
    return {
        "revision": revision.revision,
        "registered": registered.isoformat() if registered else None,
        "principal": revision.principal,
        "current": revision.current,
        "current_by": revision.current_by,
        "current_since": since.isoformat() if since else None,
    }


def revision_row(revision: "ScriptRevision") -> tuple[str, str, str, str]:
    """For people, whose time is that of this machine."""
    current = "current" if revision.current else ""
    if revision.current_since and revision.current_since != revision.registered:
        by = f" by {revision.current_by}" if revision.current_by else ""
        current = f"current since {_local(revision.current_since)}{by}"
    return revision.revision, _local(revision.registered), revision.principal, current


def _local(time: "datetime | None") -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""
