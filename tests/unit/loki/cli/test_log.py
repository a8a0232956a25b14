"""logs: a line for each record for people, JSON for machines."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from loki.cli.log import record_line
from loki.client import LogQuery, LogRecord

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
RECORD = LogRecord(
    time=AT,
    level="warning",
    actor="hel",
    pid=7,
    execution_id="",
    trace_id="",
    incident_id="",
    message="hot",
)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("hot", "WARNING  hel[7] hot"),
        ("", "WARNING  hel[7] "),
        ("one\ntwo\n", "WARNING  hel[7] one\n    two"),
        ("\x1b[31mred", "WARNING  hel[7] \\x1b[31mred"),
    ],
)
def test_no_text_passes_for_another_record(message: str, line: str) -> None:
    shown = record_line(replace(RECORD, message=message))
    assert shown[24:] == line
    assert shown[:23].endswith("04:05.678")


@pytest.mark.parametrize(("words", "call"), [((), "watch_logs"), (("--follow",), "follow_logs")])
def test_options_are_what_is_asked_for(
    client: Any, loki: Callable[..., Any], words: tuple[str, ...], call: str
) -> None:
    client.log = [RECORD]
    options = "--level", "error", "--actor", "hel", "--execution", "x1", "--incident", "12ab"
    result = loki("logs", *options, "-n", "5", *words)
    assert result.exit_code == 0
    assert result.stdout.endswith("WARNING  hel[7] hot\n")
    query = LogQuery(level="error", actor="hel", execution_id="x1", incident_id="12ab", lines=5)
    assert (call, query) in client.calls


def test_without_options_the_newest_are_shown(client: Any, loki: Callable[..., Any]) -> None:
    assert loki("logs").exit_code == 0
    assert ("watch_logs", LogQuery(lines=20)) in client.calls


def test_json_has_the_ids_that_there_are(client: Any, loki: Callable[..., Any]) -> None:
    client.log = [RECORD, replace(RECORD, execution_id="x1", incident_id="12ab", message="a\nb")]
    first, second = map(json.loads, loki("logs", "--json").stdout.splitlines())
    assert first == {
        "time": "2026-01-02T03:04:05.678000+00:00",
        "level": "warning",
        "actor": "hel",
        "pid": 7,
        "message": "hot",
    }
    assert (second["execution_id"], second["incident_id"]) == ("x1", "12ab")
    assert second["message"] == "a\nb"


@pytest.mark.parametrize("words", [("--level", "awful"), ("-n", "-1"), ("-n", "2001")])
def test_options_that_make_no_sense_are_refused(
    client: Any, loki: Callable[..., Any], words: tuple[str, str]
) -> None:
    assert loki("logs", *words).exit_code == 2
    assert not client.calls


def test_an_unknown_level_is_told_in_our_words(client: Any, loki: Callable[..., Any]) -> None:
    stderr = " ".join(loki("logs", "--level", "awful").stderr.replace("│", " ").split())
    assert (
        "'--level': 'awful' is not one of 'debug', 'info', 'warning', 'error', 'critical'."
        in stderr
    )


@pytest.mark.parametrize("words", [(), ("--execution", "x1"), ("--json",)])
def test_where_nothing_was_logged_it_says_so(
    client: Any, loki: Callable[..., Any], words: tuple[str, ...]
) -> None:
    result = loki("logs", *words)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing logged\n")
    client.log = [RECORD]
    assert loki("logs", *words).stderr == ""


def test_an_error_is_one_line(client: Any, loki: Callable[..., Any], errors: Any) -> None:
    client.error = errors.unreachable()
    result = loki("logs")
    assert result.exit_code == 1
    assert result.stderr.startswith("no Loki answers at")


def test_ctrl_c_is_the_way_to_end_following(client: Any, loki: Callable[..., Any]) -> None:
    client.log = [RECORD]
    client.interrupts = True
    result = loki("logs", "--follow")
    assert result.exit_code == 0
    assert result.stdout.endswith("hot\n")
    assert loki("logs").exit_code == 130
