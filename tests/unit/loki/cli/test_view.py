"""Values for people and for machines."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.cli.view import duration, jsonable, printable, text_of, usage_line
from loki.client import Usage


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("two\nlines", "two\nlines"),
        (True, "true"),
        (9007199254740993, "9007199254740993"),
        (0.1, "0.1"),
        (math.nan, "NaN"),
        (b"\0\1", "base64:AAE="),
        ([], "[]"),
        ({"ü": [True, None]}, '{\n  "ü": [\n    true,\n    null\n  ]\n}'),
    ],
)
def test_values_for_people(value: object, text: str) -> None:
    assert text_of(value) == text  # type: ignore[arg-type]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_every_value_is_strict_json(value: object) -> None:
    plain = jsonable(value)  # type: ignore[arg-type]
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_keys_come_in_order_however_the_wire_had_them() -> None:
    shown = text_of({"b": 1, "a": {"d": 2, "c": 3}})
    assert shown == text_of({"a": {"c": 3, "d": 2}, "b": 1})
    assert [line.strip()[:3] for line in shown.splitlines()][1:3] == ['"a"', '"c"']


def test_infinities_have_names() -> None:
    assert jsonable([math.inf, -math.inf, math.nan]) == ["Infinity", "-Infinity", "NaN"]


@given(st.text())
def test_a_terminal_gets_no_control_characters(text: str) -> None:
    kept = [c for c in printable(text) if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0]
    assert set(kept) <= {"\n", "\t"}
    assert printable(text, terminal=False) == text


def test_an_escape_sequence_shows_as_what_it_is() -> None:
    assert printable("\x1b[31mred") == "\\x1b[31mred"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (125, "2 min 5 s"),
        (7260, "2 h 1 min"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_usage_is_one_line_and_tells_of_overshoot() -> None:
    usage = Usage(wall_ms=100.44, cpu_ms=99.9, peak_memory_bytes=35840)
    assert usage_line(usage) == "100.4 ms wall · 99.9 ms CPU · 35 KiB memory"
    assert usage_line(Usage(overshoot_ms=1.5)).endswith("1.5 ms over the budget")
    near = Usage(warnings=("max_memory_mb", "max_output_kb"))
    assert usage_line(near).endswith("near max_memory_mb, max_output_kb")
