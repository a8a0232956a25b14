"""Which stored bytes are no value or key, and how those are named."""

import pytest
from hel_actor.value import damage
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ErrorCode, LokiError
from loki.lua.convert import to_lua
from loki.messages.value import Packed, pack, unpack

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary()
VALUES = st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_whatever_a_script_stored_is_sound(value: object) -> None:
    assert damage.reason(bytes(pack(value))) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"\xc1",
        b"\x01\x02",  # More than one.
        b"\xdd\xff\xff\xff\xff",  # Cut off.
        b"\xa2\xc3A",  # Not UTF-8.
        b"\xcf" + b"\xff" * 8,  # Beyond 64 bits.
        b"\xd6\xff\x00\x00\x00\x00",  # A time.
        b"\xd4\x05\x00",  # Of a type that is none of ours.
        b"\x81\x01\x01",  # Keys that are no text: a number,
        b"\x91\x81\xc4\x01a\x01",  # bytes,
        b"\x81\x90\x01",  # an array,
        b"\x81\x80\x01",  # and a map.
        b"\x91" * 50 + b"\x01",
        b"\x91" * 100_000 + b"\x01",
        "text",
        7,
        None,
    ],
)
def test_what_no_script_can_hold_has_a_reason(stored: object) -> None:
    assert damage.reason(stored)


@given(st.binary(max_size=40))
def test_what_has_no_reason_can_be_given_to_scripts(stored: bytes) -> None:
    if not damage.reason(stored):
        assert to_lua(unpack(Packed(stored)))


def test_a_value_is_named_with_script_key_and_remedy() -> None:
    told = damage.told_value("big", "ba", "malformed")
    assert (told.code, told.details) == (ErrorCode.DATA_LOSS, {"script": "big", "key": "ba"})
    for part in ("'ba'", "'big'", "malformed", "hel:storage_set", "storage_remove", "loki restore"):
        assert part in told.message
    assert len(damage.told_value("big", "k" * 1024, "x").message) < 600


def test_a_key_is_named_with_script_bytes_and_remedy() -> None:
    told: LokiError = damage.told_key("big", b"\xc3A")
    assert (told.code, told.details["script"]) == (ErrorCode.DATA_LOSS, "big")
    for part in (r"'\xc3A'", "'big'", "hel:storage_remove", "loki restore"):
        assert part in told.message


@pytest.mark.parametrize("key", [b"\xc3A", b"a\xff\xfeb", "é".encode() + b"\xc3", b"\x80"])
def test_a_damaged_key_is_meant_by_what_is_shown(key: bytes) -> None:
    assert damage.text_of(key) is None
    assert damage.meant(damage.shown(key)) == key


@given(st.text())
def test_no_sound_key_is_ever_meant_by_another(text: str) -> None:
    meant = damage.meant(text)
    assert meant is None or damage.text_of(meant) is None


@pytest.mark.parametrize("text", ["", "k", r"\x41", r"\xc3\xa9", r"a\b", r"\xZZ"])
def test_most_texts_mean_no_damaged_key(text: str) -> None:
    assert damage.meant(text) is None
