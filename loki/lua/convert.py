"""Values on their way between Lua and Python, and results against their declared types.

Both ways they travel as msgpack, which keeps integers and floats, text and bytes, arrays and maps
apart. The Lua half is codec.lua; it refuses what no client could read.
"""

import math
from typing import TypeAlias

import msgspec

from loki.errors import ErrorCode, ExecutionError
from loki.messages.script import ValueType
from loki.messages.value import INT64, ScriptValue, pack, unpack

RAW_STRING = 1
UNSENDABLE = 2
SHOWN = 40
"""Characters of a string that an error quotes."""


class RawString(bytes):
    """A Lua string that is not UTF-8, in a place that may want bytes."""


class Unsendable(str):
    """The type of a Lua value that has no form outside of Lua."""


Argument: TypeAlias = "ScriptValue | RawString | Unsendable"


def _ext(code: int, data: memoryview) -> Argument:
    if code == RAW_STRING:
        return RawString(data)
    return Unsendable(bytes(data), "ascii")


_arguments = msgspec.msgpack.Decoder(list[object], ext_hook=_ext)


def to_lua(value: ScriptValue) -> bytes:
    """What codec.lua decodes. Raises: InvalidArgument for what no script can hold."""
    return bytes(pack(value))


def from_lua(packed: bytes) -> ScriptValue:
    """What codec.lua encoded."""
    return unpack(msgspec.Raw(packed))


def arguments_from_lua(packed: bytes) -> list[Argument]:
    """The arguments of one call, in order."""
    arguments: list[Argument] = _arguments.decode(packed)  # type: ignore[assignment]  # msgpack and the hook know nothing else
    return arguments


def describe(value: Argument) -> str:
    """A value in a script author's words, short."""
    match value:
        case None:
            return "nil"
        case bool():
            return "boolean true" if value else "boolean false"
        case int():
            return f"integer {value}"
        case float():
            return f"number {value!r}"
        case Unsendable():
            return str(value)
        case str():
            return (
                f'string "{value[:SHOWN]}"'
                if len(value) <= SHOWN
                else (f'string "{value[:SHOWN]}..."')
            )
        case RawString():
            return f"a string of {len(value)} bytes that is not UTF-8"
        case bytes():
            return f"bytes of length {len(value)}"
        case list():
            return "array"
        case dict():
            return "object"


def exact_integer(value: float) -> int | None:
    """The 64-bit integer that a float is exactly, if it is one."""
    return (
        int(value) if math.isfinite(value) and value == int(value) and int(value) in INT64 else None
    )


_PLAIN: dict[ValueType, type] = {
    ValueType.STRING: str,
    ValueType.BOOLEAN: bool,
    ValueType.BYTES: bytes,
    ValueType.OBJECT: dict,
    ValueType.ARRAY: list,
    ValueType.VOID: type(None),
}


def as_declared(value: ScriptValue, declared: ValueType) -> ScriptValue:
    """A result in its declared type.

    An integer becomes a number where one is declared, and a float an integer where it is exactly
    one; an empty table is an object as well as an array.

    Raises: ExecutionError with RETURN_TYPE_MISMATCH for anything else.
    """
    match declared, value:
        case ValueType.ANY, _:
            return value
        case ValueType.INTEGER | ValueType.NUMBER, bool():
            raise mismatch(declared, describe(value))
        case ValueType.NUMBER, int() | float():
            return float(value)
        case ValueType.INTEGER, int():
            return value
        case ValueType.INTEGER, float() if (whole := exact_integer(value)) is not None:
            return whole
        case ValueType.ARRAY, {} if not value:
            return []
        case ValueType.OBJECT, []:
            return {}
        case _ if isinstance(value, _PLAIN.get(declared, ())):
            return value
        case _:
            raise mismatch(declared, describe(value))


def mismatch(declared: ValueType, got: str) -> ExecutionError:
    """The refusal of a result that is not what the script declares."""
    return ExecutionError(
        f"declared {declared.value}, got {got}",
        code=ErrorCode.RETURN_TYPE_MISMATCH,
        details={"declared": declared.value, "got": got},
    )
