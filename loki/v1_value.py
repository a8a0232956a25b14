"""`loki.v1.ScriptValue` as plain Python values; for clients of the API and for the gateway."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from google.protobuf import struct_pb2

from loki.v1 import value_pb2

Value: TypeAlias = "bool | int | float | str | bytes | Sequence[Value] | Mapping[str, Value] | None"

"""What may be given: any sequences and mappings."""

Plain: TypeAlias = "bool | int | float | str | bytes | list[Plain] | dict[str, Plain] | None"
"""What is given back."""

MAX_DEPTH = 32
"""Arrays and objects within each other. A message may be nested 100 deep; an object takes three."""

INT64 = range(-(2**63), 2**63)


def to_proto(value: Value, place: str = "value", depth: int = 0) -> value_pb2.ScriptValue:
    """Raises: ValueError, that names the place, for what no ScriptValue can hold."""
    proto = value_pb2.ScriptValue()
    fill(proto, value, place, depth)
    return proto


def fill(proto: value_pb2.ScriptValue, value: Value, place: str = "value", depth: int = 0) -> None:
    """`to_proto` into a new, empty message. Raises: ValueError."""
    match value:
        case None:
            proto.null_value = struct_pb2.NULL_VALUE  # type: ignore[assignment]  # Two styles of stubs.
        case bool():
            proto.bool_value = value
        case int():
            proto.int_value = in_range(value, place)
        case float():
            proto.double_value = value
        case str():
            proto.string_value = utf8(value, place)
        case bytes() | bytearray() | memoryview():
            proto.bytes_value = bytes(value)
        case _:
            fill_nested(proto, value, place, depth + 1)


def fill_nested(proto: value_pb2.ScriptValue, value: Value, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"{place[:200]}: nested deeper than {MAX_DEPTH}")
    match value:
        case Mapping():
            proto.object_value.SetInParent()
            for key, item in value.items():
                name = utf8(key, f"a key of {place}")
                fill(proto.object_value.fields[name], item, f"{place}.{key}", depth)
        case Sequence():
            proto.array_value.SetInParent()
            for index, item in enumerate(value, start=1):
                fill(proto.array_value.items.add(), item, f"{place}[{index}]", depth)
        case _:
            kind = type(value).__name__
            article = "an" if kind[0] in "aeiouAEIOU" else "a"
            raise ValueError(f"{place}: {article} {kind} is no value a script can hold")


def in_range(value: int, place: str) -> int:
    if value not in INT64:
        raise ValueError(f"{place}: {value} does not fit in 64 bits")
    return value


def utf8(text: object, place: str) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{place}: {text!r} is not a string")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{place}: not valid Unicode; give it as bytes") from error
    return text


def from_proto(proto: value_pb2.ScriptValue) -> Plain:
    """The value, in new lists and dicts. Never fails: the wire format bounds the nesting."""
    match proto.WhichOneof("kind"):
        case None | "null_value":
            return None
        case "array_value":
            return [from_proto(item) for item in proto.array_value.items]
        case "object_value":
            return {name: from_proto(item) for name, item in proto.object_value.fields.items()}
        case kind:
            scalar: bool | int | float | str | bytes = getattr(proto, kind)
            return scalar
