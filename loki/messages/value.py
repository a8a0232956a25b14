"""Values that scripts take and give, and their packed form inside messages."""

from itertools import chain
from typing import Any, TypeAlias, TypeVar

import msgspec

from loki.errors import InvalidArgument

ScriptValue: TypeAlias = (
    "bool | int | float | str | bytes | list[ScriptValue] | dict[str, ScriptValue] | None"
)

Packed: TypeAlias = msgspec.Raw
"""A `ScriptValue` as msgpack. Only the two ends of a conversation open it."""

NIL: Packed = msgspec.Raw(b"\xc0")
"""A packed null. Fields use it for "nothing": msgspec would read `Packed | None` as null only."""

MAX_DEPTH = 32  # protobuf opens no more objects: its own limit is 100 messages deep.
INT64 = range(-(2**63), 2**63)
NESTED = {list, dict}
KINDS = {type(None), bool, int, float, str, bytes} | NESTED

T = TypeVar("T")
_decoder: msgspec.msgpack.Decoder[ScriptValue] = msgspec.msgpack.Decoder()
_encoder = msgspec.msgpack.Encoder()


def pack(value: ScriptValue) -> Packed:
    """Raises: InvalidArgument for an integer beyond 64 bits or nesting deeper than 32."""
    check(value)
    return msgspec.Raw(_encoder.encode(value))


def unpack(packed: Packed) -> ScriptValue:
    """Raises: InvalidArgument where the bytes are no value."""
    try:
        return _decoder.decode(packed)
    except msgspec.DecodeError as error:
        raise InvalidArgument(f"not a packed value: {error}") from error


def check(value: ScriptValue, place: str = "value") -> None:
    """Raises: InvalidArgument that names the place of the first part no script can hold."""
    if not sound(value):  # A million numbers take 50 ms; to keep their places at hand, a second.
        _point_out(value, place, 0)


def sound(value: object) -> bool:
    """Whether a script can hold it. It is looked at level by level, each at once."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        kinds = set(map(type, level))
        if not kinds <= KINDS:
            return False
        if int in kinds and not _fit(level if kinds == {int} else pick(level, int)):
            return False
        inner = [*pick(level, list), *map(dict.values, pick(level, dict))] if kinds & NESTED else []
        level = list(chain.from_iterable(inner))
        if not level:
            return True
    return False


def _fit(numbers: list[int]) -> bool:
    return min(numbers) in INT64 and max(numbers) in INT64


def pick(values: list[Any], kind: type[T]) -> list[T]:
    return [each for each in values if type(each) is kind]


def _point_out(value: ScriptValue, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidArgument(f"{place[:200]}: nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool() | float() | str() | bytes():
            return
        case int():
            if value not in INT64:
                raise InvalidArgument(f"{place}: {value} does not fit in 64 bits")
        case list():
            for index, item in enumerate(value, start=1):
                _point_out(item, f"{place}[{index}]", depth + 1)
        case dict():
            for key, item in value.items():
                _point_out(item, f"{place}.{key}", depth + 1)
        case _:
            raise InvalidArgument(f"{place}: {named(value)} is no script value")


def named(value: object) -> str:
    """What kind of thing it is, with its article, where no script can hold it."""
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
