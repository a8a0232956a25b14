"""What a typed method takes and gives as JSON, described by JSON Schema (draft 2020-12).

JSON is protobuf's: 64-bit integers are strings, and may be sent as numbers; bytes are base64; what
is unset is not there. Source: protobuf.dev, "ProtoJSON Format".
"""

import base64
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from loki.v1 import script_pb2, value_pb2

Schema: TypeAlias = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
LOWEST, HIGHEST = -(2**63), 2**63 - 1
EXACT_IN_JSON = 2**53
"""Whoever reads numbers as doubles reads whole ones wrong that are larger."""
INTEGER_TEXT: Schema = {"type": "string", "pattern": "^-?[0-9]{1,20}$"}
NOT_FINITE: Schema = {"enum": ["NaN", "Infinity", "-Infinity"]}
TEXT: Schema = {"type": "string"}
BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
DURATION: Schema = {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"}
WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": DURATION,
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Value": {},
}
WIDE = {
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
}
PLAIN: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: TEXT,
    FieldDescriptor.TYPE_BYTES: BASE64,
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"anyOf": [{"type": "number"}, NOT_FINITE]},
    FieldDescriptor.TYPE_FLOAT: {"anyOf": [{"type": "number"}, NOT_FINITE]},
}


def request_schema(script: script_pb2.ScriptCapability, message: Descriptor) -> Schema:
    """Of a call's arguments, with what the script declares of its parameters."""
    builder = Builder(asked=True)
    properties = builder.properties(message)
    required = []
    for parameter in script.parameters:
        if parameter.name in properties:
            properties[parameter.name] = declared(properties[parameter.name], parameter)
            required += [parameter.name] if parameter.required else []
    schema = document(script, "request", script.description, properties, builder)
    schema["additionalProperties"] = False
    if required:
        schema["required"] = required
    return schema


def response_schema(script: script_pb2.ScriptCapability, message: Descriptor) -> Schema:
    """Of an answer. Later versions of Loki may add to it."""
    builder = Builder(asked=False)
    properties = builder.properties(message)
    return document(script, "response", f"What {script.name} returns.", properties, builder)


def document(
    script: script_pb2.ScriptCapability,
    part: str,
    description: str,
    properties: dict[str, Schema],
    builder: "Builder",
) -> Schema:
    schema: Schema = {
        "$schema": DRAFT,
        "$id": f"urn:loki:{script.method.replace('/', ':')}:{part}",
        "$comment": f"Revision {script.revision}",
        "title": f"{script.name} {part}",
        "description": description,
        "type": "object",
        "properties": properties,
    }
    if builder.definitions:
        schema["$defs"] = dict(sorted(builder.definitions.items()))
    return schema


class Builder:
    """Schemas of fields, and of the messages that they need."""

    def __init__(self, *, asked: bool) -> None:
        """`asked` is for what a server reads: it takes more than it writes."""
        self._asked = asked
        self.definitions: dict[str, Schema] = {}

    def properties(self, message: Descriptor) -> dict[str, Schema]:
        """By the names that JSON has for the fields."""
        return {field.json_name: self._field(field) for field in message.fields}

    def _field(self, field: FieldDescriptor) -> Schema:
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            value = self._single(entry.fields_by_name["value"])
            return {"type": "object", "additionalProperties": value}
        single = self._single(field)
        return {"type": "array", "items": single} if field.is_repeated else single

    def _single(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self._message(field.message_type)
        if field.enum_type is not None:
            return enum_schema(field.enum_type)
        if field.type in WIDE:
            return integer_schema() if self._asked else INTEGER_TEXT
        return PLAIN.get(field.type, {"type": "integer"})

    def _message(self, message: Descriptor) -> Schema:
        name = message.full_name
        if name.startswith("google.protobuf."):
            return WELL_KNOWN.get(name, {})
        if name not in self.definitions:
            self.definitions[name] = schema = {"type": "object"}  # It may hold itself.
            schema |= self._definition(message)
        return {"$ref": f"#/$defs/{name}"}

    def _definition(self, message: Descriptor) -> Schema:
        schema: Schema = {"properties": self.properties(message)}
        if self._asked:
            schema["additionalProperties"] = False
        if len(message.oneofs) == 1 and len(message.oneofs[0].fields) == len(message.fields):
            schema["maxProperties"] = 1
        return schema


def enum_schema(enum: EnumDescriptor) -> Schema:
    if enum.full_name == "google.protobuf.NullValue":
        return {"type": "null"}
    return {"enum": [value.name for value in enum.values]}


def integer_schema(low: float = LOWEST, high: float = HIGHEST) -> Schema:
    """As a number, or as text, whose bounds no schema can say."""
    return {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, INTEGER_TEXT]}


def declared(schema: Schema, parameter: script_pb2.ParameterDefinition) -> Schema:
    """`schema`, with what is declared beside the type."""
    low, high = (bound_of(parameter, name) for name in ("minimum", "maximum"))
    if parameter.type == script_pb2.VALUE_TYPE_INTEGER and "anyOf" in schema:
        schema = integer_schema(LOWEST if low is None else low, HIGHEST if high is None else high)
    elif parameter.type == script_pb2.VALUE_TYPE_NUMBER and (low, high) != (None, None):
        bounds = {"minimum": low, "maximum": high}
        schema = {"type": "number"} | {key: n for key, n in bounds.items() if n is not None}
    more: Schema = {"description": parameter.description} if parameter.description else {}
    if parameter.HasField("default_value"):
        kind = parameter.default_value.WhichOneof("kind")
        if kind in DEFAULTS:
            more["default"] = DEFAULTS[kind](parameter.default_value)
    return schema | more


def bound_of(parameter: script_pb2.ParameterDefinition, name: str) -> float | None:
    """None where there is none that JSON can say."""
    if not parameter.HasField(name):
        return None
    bound: value_pb2.ScriptValue = getattr(parameter, name)
    number = bound.int_value if bound.HasField("int_value") else bound.double_value
    return number if math.isfinite(number) else None


def integer_default(value: value_pb2.ScriptValue) -> int | str:
    number = value.int_value
    return number if abs(number) <= EXACT_IN_JSON else str(number)


def number_default(value: value_pb2.ScriptValue) -> float | str:
    number = value.double_value
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


DEFAULTS: dict[str, Callable[[value_pb2.ScriptValue], Any]] = {
    "bool_value": lambda value: value.bool_value,
    "int_value": integer_default,
    "double_value": number_default,
    "string_value": lambda value: value.string_value,
    "bytes_value": lambda value: base64.b64encode(value.bytes_value).decode(),
    "array_value": lambda value: json_format.MessageToDict(value.array_value),
    "object_value": lambda value: json_format.MessageToDict(value.object_value),
}
