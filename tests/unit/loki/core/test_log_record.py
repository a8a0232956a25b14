"""One event is one line, whatever its text brings along; and who wants it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.log_record import (
    MOST_TEXT_CHARACTERS,
    LogFilter,
    LogRecord,
    from_line,
    to_line,
)

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
RECORD = LogRecord(
    time=AT,
    level="ERROR",
    actor="hel",
    pid=7,
    execution="x1",
    trace="t1",
    incident="12ab",
    message="it broke",
)


def test_a_line_is_json_for_any_program() -> None:
    assert json.loads(to_line(RECORD)) == {
        "time": "2026-01-02T03:04:05.678000Z",
        "level": "ERROR",
        "actor": "hel",
        "pid": 7,
        "execution": "x1",
        "trace": "t1",
        "incident": "12ab",
        "message": "it broke",
    }


def test_unknown_ids_are_left_out() -> None:
    record = LogRecord(time=AT, level="INFO", actor="hel", pid=7, message="")
    assert set(json.loads(to_line(record))) == {"time", "level", "actor", "pid", "message"}
    assert from_line(to_line(record)) == record


@given(st.text())
def test_every_text_is_one_line_of_plain_characters_and_comes_back(text: str) -> None:
    line = to_line(msgspec.structs.replace(RECORD, message=text))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    read = from_line(line)
    assert read is not None
    assert read.message == text


@pytest.mark.parametrize(
    "text", ["a\nb", "a\rb", "\x1b[31m", "\x7f", "\x9b31m", "\u2028", "\x00", "ü", "💡"]
)
def test_what_a_terminal_or_an_editor_would_obey_is_escaped(text: str) -> None:
    line = to_line(msgspec.structs.replace(RECORD, message=text))
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])


def test_half_a_character_is_shown_as_its_bytes() -> None:
    read = from_line(to_line(msgspec.structs.replace(RECORD, message="a\udc80b")))
    assert read is not None
    assert read.message == "a\\udc80b"


def test_a_long_text_is_cut() -> None:
    text = "x" * (MOST_TEXT_CHARACTERS + 1)
    read = from_line(to_line(msgspec.structs.replace(RECORD, message=text)))
    assert read is not None
    assert read.message.endswith("x … (cut)")
    assert len(read.message) < len(text) + 20


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"half a li",
        to_line(RECORD)[:-20],
        to_line(RECORD)[10:],
        b'{"time": "2026-01-02T03:04:05Z"}',
        to_line(RECORD).replace(b"ERROR", b"AWFUL"),
        b"\xff\xfe",
        b"[1]",
    ],
)
def test_what_is_no_line_of_ours_is_none(line: bytes) -> None:
    assert from_line(line) is None


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        ({}, True),
        ({"level": "ERROR"}, True),
        ({"level": "WARNING"}, True),
        ({"level": "CRITICAL"}, False),
        ({"actor": "hel"}, True),
        ({"actor": "he"}, False),
        ({"execution": "x1"}, True),
        ({"execution": "t1"}, True),  # The trace of an execution is its id.
        ({"execution": "x"}, False),
        ({"incident": "12ab"}, True),
        ({"incident": "12"}, False),
        ({"actor": "hel", "incident": "cd"}, False),
        ({"after": AT - timedelta(microseconds=1)}, True),
        ({"after": AT}, False),
    ],
)
def test_a_filter_admits_what_has_all_that_it_names(wanted: dict[str, Any], admitted: bool) -> None:
    assert replace(LogFilter(), **wanted).admits(RECORD) is admitted
