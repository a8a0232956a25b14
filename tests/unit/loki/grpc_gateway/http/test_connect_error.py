"""Errors over HTTP: whole where they fit, and within 4 KB in any case."""

import base64
import json
from typing import Any

import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import RETRIABLE, ErrorCode
from loki.grpc_gateway.call.status import QUOTA_CODES, rich_status
from loki.grpc_gateway.http import connect, connect_error
from loki.grpc_gateway.http.connect_error import cut_spelled, text_of
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, Usage
from loki.v1 import execution_pb2

MAX_BYTES = 4096
KINDS = {
    "ErrorInfo": error_details_pb2,
    "RetryInfo": error_details_pb2,
    "ScriptError": execution_pb2,
}


def failure(code: ErrorCode, **details: str) -> Any:
    return rich_status(Failure(code=code, message="wörds", details=details))


def test_an_error_has_details_for_programs_and_for_people() -> None:
    told = connect_error.error(failure(ErrorCode.ARGUMENT_INVALID, field="n"))
    assert (told["code"], told["message"]) == ("invalid_argument", "wörds")
    first, second = told["details"]  # type: ignore[misc]
    assert first["type"] == "google.rpc.ErrorInfo"
    assert "=" not in first["value"]
    raw = base64.b64decode(first["value"] + "=" * (-len(first["value"]) % 4))
    info = error_details_pb2.ErrorInfo.FromString(raw)
    assert info.reason == first["debug"]["reason"] == "ARGUMENT_INVALID"
    assert second["debug"]["fieldViolations"][0]["field"] == "n"


def detail_of(told: dict[str, Any], kind: str) -> Any:
    """The message, by its short name. Raises: ValueError where there is not one."""
    (value,) = (d["value"] for d in told["details"] if d["type"].endswith(f".{kind}"))
    return getattr(KINDS[kind], kind).FromString(base64.b64decode(value + "=" * (-len(value) % 4)))


def failed(code: ErrorCode, text: str, retry_after_s: float | None = None) -> Any:
    """The longest status that there is, all of it of that text."""
    long = text * 5000
    details = dict.fromkeys(("traceback", "script", "execution", "field", "principal"), long)
    details |= {f"{text}{number}": long for number in range(20)} | {"line": "7"}
    usage = Usage(wall_ms=1e9, cpu_ms=1e9, queue_ms=1e9, peak_memory_bytes=2**62, api_calls=2**62)
    failure = Failure(code=code, message=long, details=details, retry_after_s=retry_after_s)
    finished = RunFinished(
        run="r" * 40,
        script=long,
        cause=Cause.SCRIPT_ERROR,
        failure=failure,
        output=long,
        usage=usage,
    )
    return rich_status(failure, finished)


@pytest.mark.parametrize("text", ["x", "\n", "\x01", '"', "ö", "\U0001f600"])
@pytest.mark.parametrize("code", ErrorCode)
def test_the_worst_fits_and_says_what_programs_need(code: ErrorCode, text: str) -> None:
    status = failed(code, text, 0.25 if code in QUOTA_CODES else None)
    told = connect_error.error(status)
    assert len(text_of(told)) <= MAX_BYTES
    assert len(connect.end_of_stream(told)) <= MAX_BYTES
    assert json.loads(text_of(told)) == told
    assert detail_of(told, "ErrorInfo").reason == code.value
    assert detail_of(told, "ScriptError").line == 7
    assert detail_of(told, "ScriptError").execution_id == "r" * 40
    if code in RETRIABLE | QUOTA_CODES:
        assert detail_of(told, "RetryInfo").retry_delay.ToNanoseconds() > 0


def test_what_is_cut_is_marked_and_the_reason_stays_to_be_read() -> None:
    details = {"traceback": "stack\n" * 1000, "line": "3"}
    failure = Failure(code=ErrorCode.SCRIPT_ERROR, message="m" * 5000, details=details)
    finished = RunFinished(
        run="r", script="average", cause=Cause.SCRIPT_ERROR, failure=failure, output="out\n" * 5000
    )
    status = rich_status(failure, finished)
    told: Any = connect_error.error(status)
    assert told["message"] == status.message
    assert told["message"].endswith("m…")
    assert told["details"][0]["debug"]["reason"] == "SCRIPT_ERROR"
    assert "debug" not in told["details"][-1]
    error = detail_of(told, "ScriptError")
    assert error.traceback.startswith("stack\n")
    assert error.traceback.endswith("…")
    assert error.output.text.endswith("out\n")
    assert error.output.truncated
    assert MAX_BYTES - 100 < len(text_of(told)) <= MAX_BYTES


def test_what_fits_is_whole() -> None:
    failure = Failure(code=ErrorCode.SCRIPT_ERROR, message="m", details={"traceback": "stack"})
    finished = RunFinished(
        run="r", script="a", cause=Cause.SCRIPT_ERROR, failure=failure, output="out"
    )
    told: Any = connect_error.error(rich_status(failure, finished))
    assert all("debug" in each for each in told["details"])
    assert detail_of(told, "ScriptError").output.text == "out"


@given(st.text(max_size=300), st.integers(3, 300))
def test_a_text_is_cut_to_what_json_makes_of_it(text: str, size_bytes: int) -> None:
    short = cut_spelled(text, size_bytes)
    assert len(json.dumps(short, ensure_ascii=False).encode(errors="replace")) - 2 <= size_bytes
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
