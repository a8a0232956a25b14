"""What is wrong with a request in JSON, for whoever wrote it: where, what was expected, what came.

Theory of operation. protobuf decides whether JSON fits a message, but says why not in words about
Python. So each part of what does not fit is given to it again by itself, from the outside inwards,
until the smallest part is found that does not. That takes time; large requests are not looked into.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

LARGEST_BYTES = 8 * 1024
MOST_TRIES = 200
"""Parts that are given to protobuf by themselves: it holds up other calls meanwhile."""
DEEPEST = 32
"""Levels that are looked into; a request may have 100."""
SHOWN = 60
"""Characters of what came, and of a name."""
MOST_NAMES = 12
"""Fields or values that are named as what there is."""

WHOLE = "a whole number from {} to {}"
INT32, INT64 = WHOLE.format(-(2**31), 2**31 - 1), WHOLE.format(-(2**63), 2**63 - 1)
UINT32, UINT64 = WHOLE.format(0, 2**32 - 1), WHOLE.format(0, 2**64 - 1)
NUMBER = 'a number, "NaN", "Infinity" or "-Infinity"'
SCALARS = {
    FieldDescriptor.TYPE_INT32: INT32,
    FieldDescriptor.TYPE_SINT32: INT32,
    FieldDescriptor.TYPE_SFIXED32: INT32,
    FieldDescriptor.TYPE_UINT32: UINT32,
    FieldDescriptor.TYPE_FIXED32: UINT32,
    FieldDescriptor.TYPE_INT64: INT64,
    FieldDescriptor.TYPE_SINT64: INT64,
    FieldDescriptor.TYPE_SFIXED64: INT64,
    FieldDescriptor.TYPE_UINT64: UINT64,
    FieldDescriptor.TYPE_FIXED64: UINT64,
    FieldDescriptor.TYPE_FLOAT: NUMBER,
    FieldDescriptor.TYPE_DOUBLE: NUMBER,
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_STRING: "a string of Unicode text",
    FieldDescriptor.TYPE_BYTES: "a string in base64",
}
OBJECT = "an object"
WELL_KNOWN = {
    "google.protobuf.Timestamp": 'a time such as "2026-01-31T12:00:00Z"',
    "google.protobuf.Duration": 'a duration such as "1.5s"',
}
"""Messages that JSON writes otherwise than as an object of their fields."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one part of a request."""

    text: str
    field: str = ""  # Its path by JSON names, such as "input.arguments.n"; "" for the whole.

    def __str__(self) -> str:
        return f"{self.field}: {self.text}" if self.field else self.text


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a field that has several: as the only one there is, and by itself."""

    alone: object
    value: object
    path: str


class TooMany(Exception):
    """It has more parts than are tried."""


class Twice(ValueError):
    """An object has that name twice."""


def problem(text: bytes, type_: Descriptor) -> Problem:
    """Of a request that protobuf refused for a message of that type."""
    if len(text) > LARGEST_BYTES:
        return Problem(f"it does not fit; up to {LARGEST_BYTES} bytes, the place would be named")
    try:
        value = json.loads(text.decode(), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        return Problem(f"it is no UTF-8 from byte {error.start + 1} on")
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :]
        place = f"from line {error.lineno}, column {error.colno} on: {shown(rest)}"
        return Problem(f"it is no JSON {place}" if rest else "it is no JSON: its end is missing")
    except Twice as error:
        return Problem(f"an object has the name {shown(error.args[0])} twice")
    except (ValueError, RecursionError):
        return Problem("it is JSON with a number too long, or nested too deep, to be read")
    try:
        return Search().of_message(type_, value, "", 0)
    except TooMany:
        return Problem("it does not fit; it has too many parts for the place to be named")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise Twice(name)
        found[name] = value
    return found


class Search:
    """For the smallest part that does not fit."""

    def __init__(self) -> None:
        self._left = MOST_TRIES

    def of_message(self, type_: Descriptor, value: object, path: str, level: int) -> Problem:
        expected = WELL_KNOWN.get(type_.full_name)
        if expected or not isinstance(value, dict):
            return _mismatch(path, expected or OBJECT, value)
        if level >= DEEPEST:
            return Problem("it does not fit, somewhere inside", path)
        for name, part in value.items():
            field = field_of(type_, name)
            if field is None:
                return Problem(f"there is no such field{there_are(type_)}", joined(path, name))
            if not self._fits(type_, {name: part}):
                return self._of_field(field, part, joined(path, field.json_name), level)
        return _together(type_, value, path)

    def _of_field(self, field: FieldDescriptor, value: object, path: str, level: int) -> Problem:
        if not field.is_repeated:
            return self._of_value(field, value, path, level)
        entry, parts = entry_of(field), list[Part]()
        if entry is not None:
            if not isinstance(value, dict):
                return _mismatch(path, OBJECT, value)
            inner = entry.fields_by_name["value"]
            parts += (Part({name: part}, part, joined(path, name)) for name, part in value.items())
        else:
            if not isinstance(value, list):
                return _mismatch(path, "an array", value)
            inner = field
            parts += (Part([part], part, f"{path}[{place}]") for place, part in enumerate(value))
        for part in parts:
            if not self._fits(field.containing_type, {field.name: part.alone}):
                return self._of_value(inner, part.value, part.path, level)
        return Problem("it does not fit", path)

    def _of_value(self, field: FieldDescriptor, value: object, path: str, level: int) -> Problem:
        if field.message_type is not None:
            return self.of_message(field.message_type, value, path, level + 1)
        if field.enum_type is not None:
            return _mismatch(path, f"one of {listed(field.enum_type.values_by_name)}", value)
        return _mismatch(path, SCALARS[field.type], value)

    def _fits(self, type_: Descriptor | None, value: object) -> bool:
        """Raises: TooMany."""
        assert type_ is not None  # noqa: S101  # Only a field of an extension is in no message.
        self._left -= 1
        if self._left < 0:
            raise TooMany
        return fits(type_, value)


def _together(type_: Descriptor, value: dict[str, object], path: str) -> Problem:
    """Each field by itself fits: so two of them do not go together."""
    taken: dict[str, str] = {}
    for name in value:
        field = field_of(type_, name)
        assert field is not None  # noqa: S101  # Each has been looked at.
        oneof = field.containing_oneof
        place = oneof.full_name if oneof else field.full_name
        if place in taken:
            text = f"does not go together with '{taken[place]}'; give one of them"
            return Problem(text, joined(path, name))
        taken[place] = name
    return Problem("it does not fit", path)


def fits(type_: Descriptor, value: object) -> bool:
    """Whether protobuf takes it for a message of that type."""
    try:
        json_format.Parse(json.dumps(value), GetMessageClass(type_)())
    except (json_format.ParseError, ValueError):
        return False
    return True


def field_of(type_: Descriptor, name: str) -> FieldDescriptor | None:
    """By its name in JSON, or as it is declared."""
    by_json = {field.json_name: field for field in type_.fields}
    return by_json.get(name) or type_.fields_by_name.get(name)


def entry_of(field: FieldDescriptor) -> Descriptor | None:
    """The message of key and value that stands for a map's type, if it is one."""
    type_ = field.message_type
    return type_ if type_ is not None and type_.GetOptions().map_entry else None


def _mismatch(path: str, expected: str, value: object) -> Problem:
    return Problem(f"expected {expected}, got {shown(value)}", path)


def shown(value: object) -> str:
    """In JSON and ASCII, and not long."""
    match value:
        case dict():
            return OBJECT
        case list():
            return "an array"
    text = json.dumps(value[:SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def joined(path: str, name: str) -> str:
    plain = json.dumps(name[:SHOWN])[1:-1]
    return f"{path}.{plain}" if path else plain


def there_are(type_: Descriptor) -> str:
    return f"; there are {listed(field.json_name for field in type_.fields)}"


def listed(names: Iterable[str]) -> str:
    """Not all, if they are many."""
    found = list(names)
    more = ["…"] if len(found) > MOST_NAMES else []
    return ", ".join([*found[:MOST_NAMES], *more]) or "none"
