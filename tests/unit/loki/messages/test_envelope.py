"""Messages are tagged, keyword-only and validated; requests know their replies."""

import msgspec
import pytest

from loki.messages.envelope import Message, Request, reply_type


class Level(Message):
    level: bool


class ReadLevel(Request[Level]):
    name: str = ""
    pin: int


def test_a_message_carries_its_class_name() -> None:
    wire = msgspec.msgpack.encode(ReadLevel(pin=4))
    assert msgspec.msgpack.decode(wire) == {"type": "ReadLevel", "name": "", "pin": 4}


def test_fields_are_keyword_only_and_frozen() -> None:
    with pytest.raises(TypeError):
        ReadLevel(4)  # type: ignore[misc]  # That is the point.
    with pytest.raises(AttributeError):
        ReadLevel(pin=4).pin = 5  # type: ignore[misc]  # That is the point.


def test_a_wrong_type_is_refused_with_its_place() -> None:
    wire = msgspec.msgpack.encode({"type": "ReadLevel", "pin": "four"})
    with pytest.raises(msgspec.ValidationError, match=r"Expected `int`, got `str` - at `\$.pin`"):
        msgspec.msgpack.decode(wire, type=ReadLevel)


def test_a_request_class_names_its_reply() -> None:
    assert reply_type(ReadLevel) is Level


def test_thespian_formats_a_message_without_its_payload() -> None:
    assert str(ReadLevel(name="x" * 1000, pin=4)) == "ReadLevel"
