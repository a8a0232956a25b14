"""How the end of an execution is kept, shortened, and read again."""

import msgspec
import pytest

from loki.core.history.remembered import (
    CUT_CHARACTERS,
    CUT_DETAILS,
    MOST_RESULT_BYTES,
    SHORT_BYTES,
    Remembered,
    described,
    kept,
    packed,
    recalled,
    shortened,
)
from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, Usage
from loki.messages.history import ExecutionState
from loki.messages.value import NIL, pack


def end_of(run: str, value: object = 7, **fields: object) -> bytes:
    told = {"cause": Cause.FINISHED, "value": pack(value), "usage": Usage(wall_ms=1.5)} | fields
    return msgspec.msgpack.encode(RunFinished(run=run, script="average", **told))


def remembered(**fields: object) -> Remembered:
    known = {"number": 7, "id": "a", "script": "average", "principal": "local", "submitted_ns": 1}
    return Remembered(**known | {"revision": "r1", "attempts": 1, "runner_pid": 17} | fields)


def test_ends_are_packed_whole_up_to_their_bound() -> None:
    for length, whole in ((10, True), (MOST_RESULT_BYTES, False)):
        told = RunFinished(run="a", script="x", cause=Cause.FINISHED, output="x" * length)
        end, complete = packed(told)
        assert complete is whole
        assert len(end) <= MOST_RESULT_BYTES
        kept = msgspec.msgpack.decode(end, type=RunFinished)
        assert kept.output == ("x" * length if whole else "")


def test_a_shortened_failure_keeps_its_reason_and_the_start_of_its_texts() -> None:
    details = {f"key{n}" + "k" * 200: "t" * 5000 for n in range(20)}
    long = Failure(code=ErrorCode.SCRIPT_ERROR, message="m" * 5000, details=details)
    end = shortened(end_of("a", cause=Cause.SCRIPT_ERROR, failure=long))
    kept = msgspec.msgpack.decode(end, type=RunFinished).failure
    assert kept is not None
    assert (kept.code, kept.message) == (ErrorCode.SCRIPT_ERROR, "m" * CUT_CHARACTERS)
    assert len(kept.details) == CUT_DETAILS
    assert shortened(end) == end


# On the disk.


LONG = end_of("a", "x" * SHORT_BYTES)


@pytest.mark.parametrize(
    "found",
    [
        remembered(),
        remembered(started_ns=2, waits=False),
        remembered(started_ns=2, waits=False, ended_ns=3, cause=Cause.FINISHED, end=end_of("a")),
        remembered(started_ns=2, waits=False, ended_ns=3, cause=Cause.FINISHED, end=LONG),
        remembered(ended_ns=3, cause=Cause.REFUSED, end=end_of("a", cause=Cause.REFUSED)),
        remembered(started_ns=2, waits=False, ended_ns=3, cause=Cause.CRASHED, complete=False),
    ],
)
def test_what_was_kept_is_what_was_remembered(found: Remembered) -> None:
    assert described(recalled(kept(found))) == described(found)


def test_of_a_long_end_a_short_one_is_kept_for_longer() -> None:
    row = kept(remembered(started_ns=2, waits=False, cause=Cause.FINISHED, end=LONG))
    assert (row.result, row.end) == (LONG, shortened(LONG))
    later = described(recalled(msgspec.structs.replace(row, result=b"")))
    assert later.finished is not None
    assert (later.complete, later.finished.value, later.finished.usage.wall_ms) == (False, NIL, 1.5)


@pytest.mark.parametrize("end", [LONG, b"\xc1" * (SHORT_BYTES + 1)])
def test_a_long_end_that_is_not_all_is_kept_short_only(end: bytes) -> None:
    row = kept(remembered(cause=Cause.FINISHED, end=end, complete=False))
    assert (row.result, row.complete) == (b"", False)
    assert len(row.end) <= SHORT_BYTES


@pytest.mark.parametrize(
    ("started_ns", "says"),
    [(2, "in the middle of this execution"), (0, "before this execution began")],
)
def test_an_interrupted_run_says_what_is_known_of_its_end(started_ns: int, says: str) -> None:
    found = described(remembered(started_ns=started_ns, ended_ns=9, cause=Cause.INTERRUPTED))
    assert (found.state, found.complete) == (ExecutionState.FAILED, True)
    assert found.finished is not None
    assert found.finished.failure == Failure(
        code=ErrorCode.RUNNER_CRASHED, message=f"Loki or its dispatcher ended {says}"
    )
