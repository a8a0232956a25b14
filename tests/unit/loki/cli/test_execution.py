"""call and run."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from loki.client import LokiClientError, Output, Progress, Result, Value
from loki.v1 import script_pb2

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
INTEGER = script_pb2.VALUE_TYPE_INTEGER
STRING = script_pb2.VALUE_TYPE_STRING


def asked(client: Any) -> tuple[Any, ...]:
    (call,) = (call for call in client.calls if call[0] in ("execute", "stream"))
    return call  # type: ignore[no-any-return]


def test_arguments_have_the_types_that_the_server_tells(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"average": make("average", sensor=STRING, n=INTEGER)}
    result = loki("call", "average", "sensor=7", "n=7", "extra=7", "--timeout", "2.5")
    assert result.exit_code == 0
    assert asked(client) == ("execute", "average", {"sensor": "7", "n": 7, "extra": 7}, 2.5)


def test_an_argument_of_the_wrong_type_is_never_sent(
    client: Any, loki: Callable[..., Any], make: Callable[..., Any]
) -> None:
    client.scripts = {"average": make("average", n=INTEGER)}
    result = loki("call", "average", "n=many")
    assert result.exit_code == 1
    assert result.stderr == "ARGUMENT_INVALID: argument 'n': expected a whole number, got 'many'\n"
    assert client.calls == [("close",)]


def test_output_before_the_value_and_usage_on_stderr(
    client: Any, loki: Callable[..., Any], run_of: Callable[..., Any]
) -> None:
    client.result = run_of({"level": 3}, output="working\n")
    result = loki("call", "hello")
    assert result.stdout == 'working\n{\n  "level": 3\n}\n'
    assert result.stderr == "12.3 ms wall · 1.2 ms CPU · 36 KiB memory\n"


def test_null_prints_nothing(
    client: Any, loki: Callable[..., Any], run_of: Callable[..., Any]
) -> None:
    client.result = run_of(None)
    assert loki("call", "hello").stdout == ""


def test_json_is_one_line_with_everything(
    client: Any, loki: Callable[..., Any], run_of: Callable[..., Any]
) -> None:
    client.result = run_of(9007199254740993, output="hm")
    result = loki("call", "hello", "--json")
    plain = json.loads(result.stdout)
    assert (plain["value"], plain["output"], plain["execution_id"]) == (2**53 + 1, "hm", "x1")
    assert plain["usage"]["peak_memory_bytes"] == 36 * 1024
    assert result.stderr == ""


def events(run_of: Callable[..., Any]) -> list[Any]:
    return [
        Output(sequence=1, time=NOW, text="3 to go\n"),
        Value(sequence=2, time=NOW, value=3),
        Progress(sequence=3, time=NOW, fraction=0.25, text="a quarter"),
        Result(sequence=4, time=NOW, execution=run_of("done")),
    ]


def test_a_stream_shows_every_event(
    client: Any, loki: Callable[..., Any], run_of: Callable[..., Any]
) -> None:
    client.events = events(run_of)
    result = loki("call", "countdown", "--stream")
    assert result.stdout == "3 to go\n3\ndone\n"
    first, second, *_ = result.stderr.splitlines()
    assert first == "execution x1"
    assert second.split() == ["25%", "a", "quarter"]
    assert client.streams[0].left


def test_a_stream_as_json_is_a_line_per_event(
    client: Any, loki: Callable[..., Any], run_of: Callable[..., Any]
) -> None:
    client.events = events(run_of)
    lines = [
        json.loads(line)
        for line in loki("call", "c", "--stream", "--json").stdout.split("\n")
        if line
    ]
    assert [line["sequence"] for line in lines] == [1, 2, 3, 4]
    assert {line["execution_id"] for line in lines} == {"x1"}
    assert lines[0]["output"] == "3 to go\n"
    assert lines[1]["value"] == 3
    assert lines[2]["progress"] == {"fraction": 0.25, "text": "a quarter"}
    assert lines[3]["result"]["value"] == "done"
    assert lines[3]["time"] == "2026-01-02T03:04:05+00:00"


def test_a_script_error_shows_message_line_and_script_traceback(
    client: Any, loki: Callable[..., Any], errors: Any
) -> None:
    client.error = errors.script_error()
    result = loki("call", "broken")
    assert result.exit_code == 1
    assert result.stdout == "before\n"
    lines = result.stderr.splitlines()
    assert lines[0] == "SCRIPT_ERROR: broken.lua:3: no such thing"
    assert lines[1:3] == ["broken.lua:3: in function 'inner'", "broken.lua:7: in main chunk"]
    assert "1.5 ms wall" in lines[3]
    assert lines[4:] == ["execution x7"]


def test_a_failing_stream_has_shown_what_came_before(
    client: Any, loki: Callable[..., Any], run_of: Callable[..., Any], errors: Any
) -> None:
    client.events, client.error = events(run_of)[:2], errors.script_error()
    result = loki("call", "broken", "--stream")
    assert result.exit_code == 1
    assert result.stdout.startswith("3 to go\n3\n")
    assert result.stderr.splitlines()[1].startswith("SCRIPT_ERROR: ")


def test_an_error_as_json(client: Any, loki: Callable[..., Any], errors: Any) -> None:
    client.error = errors.script_error()
    result = loki("call", "broken", "--json")
    error = json.loads(result.stderr)["error"]
    assert result.exit_code == 1
    assert result.stdout == ""
    assert (error["code"], error["reason"], error["line"]) == ("UNKNOWN", "SCRIPT_ERROR", 3)
    assert error["details"] == {"line": "3"}
    assert (error["output"], error["execution_id"]) == ("before\n", "x7")


def test_a_connection_that_broke_says_where_the_execution_is_found(
    client: Any, loki: Callable[..., Any]
) -> None:
    client.error = LokiClientError(
        "Stream removed (Socket closed)", code=grpc.StatusCode.UNAVAILABLE
    )
    result = loki("call", "hello", "--server", "127.0.0.1:9")
    assert result.exit_code == 1
    assert result.stderr == (
        "the connection to Loki at 127.0.0.1:9 broke; `loki executions` shows what became of an "
        "execution\n"
    )


def test_a_deadline_that_passed_here_says_where_the_execution_is_found(
    client: Any, loki: Callable[..., Any]
) -> None:
    client.error = LokiClientError(
        "Deadline Exceeded", code=grpc.StatusCode.DEADLINE_EXCEEDED, reason="CLIENT_DEADLINE"
    )
    assert loki("call", "hello").stderr == (
        "CLIENT_DEADLINE: Deadline Exceeded; `loki executions` shows what became of an execution\n"
    )


def test_no_server_says_how_to_start_one(
    client: Any, loki: Callable[..., Any], errors: Any
) -> None:
    client.error = errors.unreachable()
    result = loki("call", "hello", "--server", "127.0.0.1:9")
    assert result.exit_code == 1
    assert result.stderr == (
        "no Loki answers at 127.0.0.1:9; start one with `loki serve`, "
        "or name another with --server HOST:PORT; one that restarts is back in a moment\n"
    )


def test_the_server_comes_from_the_environment_too(
    client: Any, loki: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOKI_SERVER", "device:1234")
    loki("call", "hello")
    assert client.address == "device:1234"
    loki("call", "hello", "--server", "other:1")
    assert client.address == "other:1"


def test_run_sends_the_file_and_guesses_types(
    client: Any, loki: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "once.lua"
    file.write_text("return params.n")
    assert loki("run", str(file), "n=5", "who=Ada").exit_code == 0
    assert asked(client) == ("execute", "return params.n", {"n": 5, "who": "Ada"}, None)


def test_run_reads_stdin(client: Any, loki: Callable[..., Any]) -> None:
    assert loki("run", "-", "--stream", stdin="return 42").exit_code == 0
    assert asked(client) == ("stream", "return 42", {}, None)


@pytest.mark.parametrize(
    ("file", "complaint"), [("/no/such.lua", "no such file"), ("-", "is empty")]
)
def test_run_of_nothing_is_refused(
    client: Any, loki: Callable[..., Any], file: str, complaint: str
) -> None:
    result = loki("run", file, stdin=" ")
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert client.calls == []


def test_run_takes_the_types_of_the_header_and_names_the_source(
    client: Any, loki: Callable[..., Any], tmp_path: Path
) -> None:
    source = (
        "--- loki:\n--- return_type = 'void'\n"
        "--- parameters = [{ name = 'id', type = 'string' }]\nreturn"
    )
    (tmp_path / "once.lua").write_text(source)
    assert loki("run", str(tmp_path / "once.lua"), "id=5").exit_code == 0
    assert loki("run", "-", "id=5", "--stream", stdin=source).exit_code == 0
    executed, streamed = (call for call in client.calls if call[0] in ("execute", "stream"))
    assert executed == ("execute", source, {"id": "5"}, None)
    assert streamed == ("stream", source, {"id": "5"}, None)
    assert client.source_names == [str(tmp_path / "once.lua"), "stdin"]


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("x = = 1", "stdin:2: its header is no valid TOML"),
        ("return_type = 'strin'", "stdin: 'strin' is no type"),
    ],
)
def test_run_with_a_bad_header_is_refused_here_when_it_needs_types(
    client: Any, loki: Callable[..., Any], header: str, complaint: str
) -> None:
    result = loki("run", "-", "id=5", stdin=f"--- loki:\n--- {header}\nreturn")
    assert result.exit_code == 1
    assert result.stderr.startswith(complaint)
    assert asked_nothing(client)


def asked_nothing(client: Any) -> bool:
    return not any(call[0] in ("execute", "stream") for call in client.calls)


@pytest.mark.parametrize("words", [("call", "slow"), ("call", "slow", "--stream"), ("list",)])
def test_ctrl_c_is_told_in_one_line(
    client: Any, loki: Callable[..., Any], words: tuple[str, ...]
) -> None:
    client.error = KeyboardInterrupt()
    result = loki(*words)
    said = result.stderr.removeprefix("execution x1\n")  # A stream begins with that.
    assert (result.exit_code, said) == (130, "interrupted\n")
    assert client.calls[-1] == ("close",)
