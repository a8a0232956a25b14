"""Requests of any type, made from its descriptor: valid as messages, though few make sense."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

DEEPEST = 5
"""Messages within each other; those that are deeper stay as they are."""
MOST_ITEMS = 3
EDGES = (0, 1, -1, 7, 1000, 10**9 - 1, 10**9, 253_402_300_799, 253_402_300_800, -62_135_596_801)
PAGES = ("0", "-1", "9" * 30, "a/b", "x" * 300, "\x00", "é/\U0001f600", "a/b/c/d")
PATTERNS = ("", "*", "[", "[!", "**", "../..", "'", '"', "%", "\n", "0.0.0.0", "p95", "p-1", "p101")
JSON = (
    "1",
    "-1",
    "1e999",
    "NaN",
    "nul",
    '"x"',
    "{}",
    "[]",
    "[" * 3000,
    '{"a":' * 3000,
    '"\\ud800"',
)
NUMBERS = (0.0, -1.0, 1e-9, 5e-324, 3600.0, 1e18, 1.7e308, float("inf"), float("nan"))
KINDS = FieldDescriptor


def whole(bits: int, *, signed: bool = True) -> st.SearchStrategy[int]:
    """Numbers of a field, those at the edges as often as all others together."""
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    edges = sorted({least, most, *(n for n in EDGES if least <= n <= most)})
    return st.one_of(st.sampled_from(edges), st.integers(least, most))


LONG, INT = whole(64), whole(32)
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    KINDS.TYPE_BOOL: st.booleans(),
    KINDS.TYPE_BYTES: st.binary(max_size=20),
    KINDS.TYPE_DOUBLE: st.one_of(st.sampled_from(NUMBERS), st.floats()),
    KINDS.TYPE_INT32: INT,
    KINDS.TYPE_INT64: LONG,
    KINDS.TYPE_SFIXED64: LONG,
}


class Maker:
    """Makes one message. `words` are texts that mean something, by the field's name."""

    def __init__(self, draw: st.DrawFn, words: Mapping[str, tuple[str, ...]]) -> None:
        self._draw = draw
        self._words = words

    def fill(self, message: Any, depth: int = DEEPEST) -> None:
        """Give some of its fields values; of a oneof the last one stays."""
        for field in message.DESCRIPTOR.fields:
            if not self._draw(st.booleans()):
                continue
            if field.message_type is None:
                self._set(message, field)
            elif depth:
                self._nest(message, field, depth - 1)

    def _set(self, message: Any, field: Any) -> None:
        if field.is_repeated:
            many = st.lists(self._scalar(field), max_size=MOST_ITEMS)
            getattr(message, field.name).extend(self._draw(many))
        else:
            setattr(message, field.name, self._draw(self._scalar(field)))

    def _nest(self, message: Any, field: Any, depth: int) -> None:
        value = getattr(message, field.name)
        if field.message_type.GetOptions().map_entry:
            for key in self._draw(st.lists(self._texts(field.name), max_size=MOST_ITEMS)):
                self.fill(value[key], depth)  # The API's maps are of texts to messages.
        elif field.is_repeated:
            for _ in range(self._draw(st.integers(0, MOST_ITEMS))):
                self.fill(value.add(), depth)
        else:
            value.SetInParent()
            self.fill(value, depth)

    def _scalar(self, field: Any) -> st.SearchStrategy[Any]:
        if field.type == KINDS.TYPE_STRING:
            return self._texts(field.name)
        if field.type == KINDS.TYPE_ENUM:  # Also numbers that it has no name for.
            known = st.sampled_from([value.number for value in field.enum_type.values])
            return st.one_of(known, INT)
        return SCALARS[field.type]

    def _texts(self, name: str) -> st.SearchStrategy[str]:
        odd = st.one_of(st.sampled_from(PAGES + PATTERNS + JSON), st.text(max_size=20))
        return st.one_of(st.sampled_from(self._words[name]), odd) if name in self._words else odd


def requests(
    of: Descriptor, words: Mapping[str, tuple[str, ...]], **fixed: Any
) -> st.SearchStrategy[Message]:
    """Any message of that type; the `fixed` fields are as given."""

    @st.composite
    def made(draw: st.DrawFn) -> Message:
        message: Message = GetMessageClass(of)()
        Maker(draw, words).fill(message)
        for name, value in fixed.items():
            setattr(message, name, value)
        return message

    return made()
