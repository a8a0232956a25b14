"""`loki executions` and `loki cancel`: what they show, and how they fail."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from loki.client import ExecutionRecord, LokiClientError, Usage
from loki.client.record import Failure

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(id: str, **known: Any) -> ExecutionRecord:
    fields: dict[str, Any] = {
        "script": "average",
        "revision": "r1",
        "principal": "local",
        "state": "finished",
        "cause": "finished",
        "submitted": NOW,
        "started": NOW,
        "ended": NOW + timedelta(seconds=1),
        "attempts": 1,
        "runner_pid": 17,
        "usage": Usage(wall_ms=12.34),
        "failure": None,
        "value": None,
        "output": "",
        "output_truncated": False,
        "result_dropped": False,
    }
    return ExecutionRecord(id=id, **fields | known)


WAITING: dict[str, Any] = {
    "state": "queued",
    "cause": "",
    "started": None,
    "ended": None,
    "attempts": 0,
    "runner_pid": 0,
    "usage": None,
}
FAILED: dict[str, Any] = {
    "state": "failed",
    "cause": "script_error",
    "failure": Failure("SCRIPT_ERROR", "a.lua:3:\noops", 3, "a.lua:3: in main chunk"),
}


def test_a_list_has_a_row_for_each(client: Any, loki: Callable[..., Any]) -> None:
    refused = record("x3", **FAILED | {"cause": "refused", "started": None, "attempts": 0})
    lost = record("x4", **FAILED | {"cause": "interrupted", "usage": Usage(wall_ms=0.0)})
    client.records = [record("x1"), record("x2", **WAITING), refused, lost]
    result = loki("executions", "--script", "av*", "--state", "failed")
    rows = [line.split() for line in result.stdout.splitlines() if "average" in line]
    assert [row[0] for row in rows] == ["x1", "x2", "x3", "x4"]
    assert rows[0][2] == "finished"
    assert rows[0][-3:] == ["12.3", "ms", "1"]
    assert rows[1][2] == "queued"
    assert "ms" not in rows[1]
    assert rows[2][2:4] == ["failed", "(refused)"]
    assert "ms" not in rows[2]
    assert rows[3][2:4] == ["failed", "(interrupted)"]
    assert "ms" not in rows[3]  # Nobody knows how long it took.
    assert client.calls[0] == ("executions", "av*", "failed")


def test_a_long_list_says_how_to_see_more(client: Any, loki: Callable[..., Any]) -> None:
    client.records = [record(f"x{n}") for n in range(5)]
    result = loki("executions", "--most", "3")
    assert [f"x{n}" in result.stdout for n in range(5)] == [True, True, True, False, False]
    assert "--most 30" in result.stderr
    assert "more" not in loki("executions", "--most", "5").stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [((), "no executions\n"), (("--state", "queued"), "no executions match\n")],
)
def test_an_empty_list(
    client: Any, loki: Callable[..., Any], words: tuple[str, ...], says: str
) -> None:
    assert loki("executions", *words).stdout == says


def test_a_list_as_json(client: Any, loki: Callable[..., Any]) -> None:
    client.records = [record("x1"), record("x2", **WAITING)]
    first, second = json.loads(loki("executions", "--json").stdout)
    assert (first["execution_id"], first["state"], first["usage"]["wall_ms"]) == (
        "x1",
        "finished",
        12.34,
    )
    assert first["submitted"] == "2026-01-02T03:04:05+00:00"
    assert (second["started"], second["ended"], second["usage"]) == (None, None, None)


def test_one_execution_shows_its_result(client: Any, loki: Callable[..., Any]) -> None:
    client.records = [record("x1", value=[1], output="hi\n", attempts=2)]
    result = loki("executions", "x1")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["execution", "x1"]
    assert lines[1].split() == ["script", "average,", "revision", "r1"]
    assert lines[2].split() == ["state", "finished"]
    assert lines[4].endswith("in process 17, try 2")
    assert lines[6:] == ["hi", "[", "  1", "]"]
    assert result.stderr.startswith("12.3 ms wall")


def test_one_that_failed_shows_why(client: Any, loki: Callable[..., Any]) -> None:
    client.records = [record("x1", output="before", **FAILED)]
    result = loki("executions", "x1")
    assert result.exit_code == 0
    assert "state      failed (script_error)\n" in result.stdout
    assert result.stdout.endswith("before\n")
    lines = result.stderr.splitlines()
    assert lines[:2] == ["SCRIPT_ERROR: a.lua:3: oops", "a.lua:3: in main chunk"]


def test_one_that_waits_shows_no_more_than_that(client: Any, loki: Callable[..., Any]) -> None:
    client.records = [record("x1", **WAITING | {"revision": ""})]
    result = loki("executions", "x1")
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "execution",
        "script",
        "state",
        "submitted",
    ]
    assert result.stderr == ""


def test_a_result_that_is_not_kept_is_not_shown_as_nothing(
    client: Any, loki: Callable[..., Any]
) -> None:
    client.records = [record("x1", result_dropped=True)]
    assert "not kept" in loki("executions", "x1").stderr


def test_one_as_json(client: Any, loki: Callable[..., Any]) -> None:
    client.records = [record("x1", value=b"\xff", **FAILED)]
    plain = json.loads(loki("executions", "x1", "--json").stdout)
    assert plain["value"] == "base64:/w=="
    assert plain["failure"] == {
        "reason": "SCRIPT_ERROR",
        "message": "a.lua:3:\noops",
        "line": 3,
        "traceback": "a.lua:3: in main chunk",
    }


def test_cancel_asks_for_the_end(client: Any, loki: Callable[..., Any]) -> None:
    assert loki("cancel", "x1").stdout == "cancelled x1\n"
    assert json.loads(loki("cancel", "x1", "--json").stdout) == {"cancelled": "x1"}
    assert client.calls.count(("cancel", "x1")) == 2


@pytest.mark.parametrize("words", [("executions", "x1"), ("cancel", "x1"), ("executions",)])
def test_what_the_server_refuses_is_one_line(
    client: Any, loki: Callable[..., Any], words: tuple[str, ...]
) -> None:
    client.error = LokiClientError(
        "no execution 'x1' is known", code=grpc.StatusCode.NOT_FOUND, reason="EXECUTION_NOT_FOUND"
    )
    result = loki(*words)
    assert result.exit_code == 1
    assert result.stderr == "EXECUTION_NOT_FOUND: no execution 'x1' is known\n"


def test_one_that_ended_cannot_be_cancelled(client: Any, loki: Callable[..., Any]) -> None:
    client.error = LokiClientError(
        "execution 'x1' has ended already (finished)",
        code=grpc.StatusCode.NOT_FOUND,
        reason="EXECUTION_NOT_FOUND",
        details={"execution": "x1", "cause": "finished"},
    )
    result = loki("cancel", "x1")
    told = "execution 'x1' has ended already (finished): there is nothing to cancel\n"
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", told)
    error = json.loads(loki("cancel", "x1", "--json").stderr)["error"]
    assert error["reason"] == "EXECUTION_NOT_FOUND"


@pytest.mark.parametrize("server", ["", "localhost"])
def test_a_server_without_a_port_is_refused(
    client: Any, loki: Callable[..., Any], server: str
) -> None:
    result = loki("executions", "--server", server)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"--server {server!r}: write HOST:PORT, such as 127.0.0.1:")
    assert client.calls == []
