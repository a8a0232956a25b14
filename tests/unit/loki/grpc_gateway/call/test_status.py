"""The table of codes is complete and as promised; details fit and decode."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import RETRIABLE, ErrorCode
from loki.grpc_gateway.call.status import MAX_BYTES, STATUS_OF, cut, rich_status, status_of, tail
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, Usage
from loki.v1 import execution_pb2

CONTRACT = {
    "INVALID_ARGUMENT": "ARGUMENT_INVALID SCRIPT_INVALID",
    "NOT_FOUND": "SCRIPT_NOT_FOUND EXECUTION_NOT_FOUND",
    "ALREADY_EXISTS": "SCRIPT_EXISTS",
    "ABORTED": "REVISION_CONFLICT",
    "FAILED_PRECONDITION": "STALE_SCHEMA CHILD_DISABLED",
    "UNKNOWN": "SCRIPT_ERROR RETURN_TYPE_MISMATCH",
    "DEADLINE_EXCEEDED": "TIME_BUDGET CLIENT_DEADLINE",
    "RESOURCE_EXHAUSTED": "MEMORY_BUDGET CPU_BUDGET DISK_BUDGET OUTPUT_BUDGET QUEUE_FULL QUOTA",
    "CANCELLED": "CANCELLED",
    "UNAVAILABLE": "CHILD_DOWN RUNNER_CRASHED DRAINING",
    "UNAUTHENTICATED": "NO_CREDENTIALS",
    "PERMISSION_DENIED": "ROLE ORIGIN SCRIPT_PERMISSION",
    "INTERNAL": "BUG",
}
PROMISES = [(code, reason) for code, reasons in CONTRACT.items() for reason in reasons.split()]

texts = st.text(max_size=6000)
failures = st.builds(
    Failure,
    code=st.sampled_from(ErrorCode),
    message=texts,
    details=st.dictionaries(
        st.sampled_from(["field", "script", "line", "traceback", "allow_with"]) | texts, texts
    ),
    retry_after_s=st.none() | st.floats(0, 3600),
)


def details_of(failure: Failure, finished: RunFinished | None = None) -> dict[str, Any]:
    status = rich_status(failure, finished)
    unpacked = {}
    for detail in status.details:
        name = detail.type_url.rpartition(".")[2]
        module = execution_pb2 if name == "ScriptError" else error_details_pb2
        unpacked[name] = getattr(module, name).FromString(detail.value)
    return unpacked


def finished_with(failure: Failure, output: str = "") -> RunFinished:
    return RunFinished(
        run="r",
        script="average",
        cause=Cause.SCRIPT_ERROR,
        failure=failure,
        output=output,
        usage=Usage(wall_ms=12.5, peak_memory_bytes=1234),
    )


def test_every_error_code_has_a_status() -> None:
    assert STATUS_OF.keys() == set(ErrorCode)


@pytest.mark.parametrize(("status", "reason"), PROMISES)
def test_the_contract_is_kept(status: str, reason: str) -> None:
    assert STATUS_OF[ErrorCode(reason)].name == status


def test_no_other_module_names_status_codes() -> None:
    import loki.grpc_gateway

    folder = Path(loki.grpc_gateway.__path__[0])
    users = {path.name for path in folder.rglob("*.py") if "StatusCode" in path.read_text()}
    assert users == {"status.py"}


@given(failures, st.none() | texts)
def test_any_failure_fits_and_keeps_its_reason(failure: Failure, output: str | None) -> None:
    finished = None if output is None else finished_with(failure, output)
    status = rich_status(failure, finished)
    assert status.ByteSize() <= MAX_BYTES
    details = details_of(failure, finished)
    assert details["ErrorInfo"].reason == failure.code.value
    assert details["ErrorInfo"].domain == "loki"
    assert ("ScriptError" in details) == (finished is not None)
    sent = status_of(failure, finished)
    assert sent.code is STATUS_OF[failure.code]
    assert sent.details == status.message
    assert "\0" not in sent.details


def test_a_named_field_is_a_bad_request() -> None:
    failure = Failure(
        code=ErrorCode.ARGUMENT_INVALID, message="n: must be a number", details={"field": "n"}
    )
    (violation,) = details_of(failure)["BadRequest"].field_violations
    assert (violation.field, violation.description) == ("n", "n: must be a number")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ErrorCode.SCRIPT_NOT_FOUND, "script"),
        (ErrorCode.SCRIPT_EXISTS, "script"),
        (ErrorCode.EXECUTION_NOT_FOUND, "execution"),
    ],
)
def test_a_thing_by_name_is_resource_info(code: ErrorCode, kind: str) -> None:
    info = details_of(Failure(code=code, message="m", details={kind: "x"}))["ResourceInfo"]
    assert (info.resource_type, info.resource_name) == (kind, "x")


def test_budgets_are_quota_failures_but_time_is_not() -> None:
    for code in ErrorCode:
        details = details_of(Failure(code=code, message="m"))
        exhausted = STATUS_OF[code] is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert ("QuotaFailure" in details) == exhausted, code


def test_who_may_try_again_is_told_when() -> None:
    for code in ErrorCode:
        details = details_of(Failure(code=code, message="m"))
        unavailable = STATUS_OF[code] is grpc.StatusCode.UNAVAILABLE
        assert ("RetryInfo" in details) == (unavailable or code is ErrorCode.QUEUE_FULL), code
    retry = details_of(Failure(code=ErrorCode.QUOTA, message="m", retry_after_s=1.5))["RetryInfo"]
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=1.5)


def test_a_failed_execution_tells_what_it_used_and_where_it_failed() -> None:
    failure = Failure(
        code=ErrorCode.SCRIPT_ERROR,
        message="boom",
        details={"line": "7", "traceback": "average:7"},
    )
    details = details_of(failure, finished_with(failure, "printed\n"))
    metadata = dict(details["ErrorInfo"].metadata)
    assert metadata.items() >= {
        ("script", "average"),
        ("cause", "script_error"),
        ("line", "7"),
        ("wall_ms", "12.500"),
        ("peak_memory_bytes", "1234"),
    }
    assert "traceback" not in metadata
    error = details["ScriptError"]
    assert (error.line, error.traceback, error.output.text) == (7, "average:7", "printed\n")


def test_long_output_keeps_its_end_and_says_so() -> None:
    failure = Failure(code=ErrorCode.SCRIPT_ERROR, message="boom")
    output = details_of(failure, finished_with(failure, "a" * 9000 + "the end"))[
        "ScriptError"
    ].output
    assert output.text.endswith("the end")
    assert output.truncated


@given(st.text(max_size=40), st.integers(0, 40))
def test_cut_and_tail_keep_to_the_size(text: str, size: int) -> None:
    assert len(cut(text, size).encode()) <= size
    assert len(tail(text, size).encode()) <= size
    if len(text.encode()) <= size and "\0" not in text:
        assert cut(text, size) == tail(text, size) == text


REFERENCE = Path(__file__).parents[5] / "docs/reference/errors.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (yes|no|if told) \|", re.MULTILINE)


def test_s_10_2_1_the_reference_tells_each_code_its_status_and_whether_to_try_again() -> None:
    told = {reason: (status, again) for reason, status, again in ROW.findall(REFERENCE.read_text())}
    assert told == {code.value: (STATUS_OF[code].name, again_of(code)) for code in ErrorCode}


def again_of(code: ErrorCode) -> str:
    """QUOTA is the only one that depends on the failure."""
    if code is ErrorCode.QUOTA:
        return "if told"
    return "yes" if code in RETRIABLE else "no"


@pytest.mark.parametrize("code", ErrorCode)
def test_s_10_2_1_what_may_pass_by_itself_says_when_to_try_again(code: ErrorCode) -> None:
    told = details_of(Failure(code=code, message="no"))
    assert ("RetryInfo" in told) == (code in RETRIABLE)


def test_s_10_2_1_all_that_is_unavailable_may_pass_by_itself() -> None:
    unavailable = {code for code in ErrorCode if STATUS_OF[code].name == "UNAVAILABLE"}
    assert unavailable == RETRIABLE - {ErrorCode.QUEUE_FULL}


def test_s_10_2_1_a_bound_that_passes_by_itself_says_so() -> None:
    failure = Failure(code=ErrorCode.QUOTA, message="full", retry_after_s=0.5)
    assert "RetryInfo" in details_of(failure)
