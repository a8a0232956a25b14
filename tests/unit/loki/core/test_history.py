"""What is remembered of executions, how much of it, and for how long."""

import msgspec
import pytest

from loki.core.history import (
    CUT_CHARACTERS,
    CUT_DETAILS,
    MOST_RESULT_BYTES,
    History,
    packed,
    shortened,
)
from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, Usage
from loki.messages.history import ExecutionState
from loki.messages.value import NIL, pack, unpack

BEGIN_NS = 1_795_827_010_000_000_000  # 2026-11-28T00:50:10Z


def end_of(run: str, value: object = 7, **fields: object) -> bytes:
    told = {"cause": Cause.FINISHED, "value": pack(value), "usage": Usage(wall_ms=1.5)} | fields
    return msgspec.msgpack.encode(RunFinished(run=run, script="average", **told))


def failure(**details: str) -> Failure:
    return Failure(code=ErrorCode.SCRIPT_ERROR, message="no", details=details)


def history_of(*runs: str, **bounds: int) -> History:
    """In which these runs finished, one nanosecond after the other."""
    history = History(BEGIN_NS, **bounds)
    for run in runs:
        history.submitted(run, "average", "local", BEGIN_NS + 1)
        history.started(run, "r1", 17, BEGIN_NS + 2)
        history.ended(run, Cause.FINISHED, end_of(run), BEGIN_NS + 3)
    return history


def ids(history: History, size: int = 100, **asked: object) -> list[str]:
    given = {"script": "*", "state": None, "after": ""} | asked
    return [each.id for each in history.page(size=size, **given)[0]]


# One execution, from its submission to its end.


def test_a_run_waits_runs_and_ends() -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    assert history.find("a").state is ExecutionState.QUEUED
    history.started("a", "r1", 17, 2)
    running = history.find("a")
    assert (running.state, running.started_ns, running.finished) == (
        ExecutionState.RUNNING,
        2,
        None,
    )
    history.ended("a", Cause.FINISHED, end_of("a"), 3)
    ended = history.find("a")
    assert (ended.state, ended.cause, ended.complete) == (
        ExecutionState.FINISHED,
        Cause.FINISHED,
        True,
    )
    assert (ended.script, ended.revision, ended.principal) == ("average", "r1", "local")
    assert (ended.submitted_ns, ended.started_ns, ended.ended_ns) == (1, 2, 3)
    assert (ended.attempts, ended.runner_pid) == (1, 17)
    assert ended.finished is not None
    assert unpack(ended.finished.value) == 7
    assert ended.finished.usage.wall_ms == 1.5


def test_a_run_that_loses_its_runner_waits_again() -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    history.started("a", "r1", 17, 2)
    history.waits("a")
    assert history.find("a").state is ExecutionState.QUEUED
    history.started("a", "r1", 18, 3)
    again = history.find("a")
    assert (again.state, again.attempts, again.runner_pid) == (ExecutionState.RUNNING, 2, 18)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.FINISHED])
def test_every_other_end_is_a_failure(cause: Cause) -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    history.ended("a", cause, end_of("a", cause=cause, failure=failure()), 2)
    ended = history.find("a")
    assert (ended.state, ended.cause, ended.attempts) == (ExecutionState.FAILED, cause, 0)


def test_the_first_end_counts() -> None:
    history = history_of("a")
    history.ended("a", Cause.CRASHED, b"", 9)
    history.started("a", "r2", 18, 9)
    history.waits("a")
    assert history.find("a").cause is Cause.FINISHED
    assert history.find("a").runner_pid == 17


def test_the_end_of_an_unknown_run_is_no_execution() -> None:
    history = history_of()
    history.ended("a", Cause.FINISHED, end_of("a"), 2)
    assert ids(history) == []


@pytest.mark.parametrize("end", [b"", b"\xc1", b"\x80", pack("text"), end_of("a")[:-1]])
def test_an_end_that_cannot_be_read_is_an_end_without_a_result(end: bytes) -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    history.ended("a", Cause.FINISHED, bytes(end), 2)
    found = history.find("a")
    assert (found.state, found.finished, found.complete) == (ExecutionState.FINISHED, None, False)
    assert ids(history) == ["a"]


# Its bounds.


def test_the_oldest_that_ended_is_forgotten_first() -> None:
    history = History(BEGIN_NS, most=2)
    for run in ("slow", "a", "b", "c"):
        history.submitted(run, "average", "local", 1)
    for run in ("a", "b", "c"):
        history.ended(run, Cause.FINISHED, end_of(run), 2)
    assert ids(history) == ["c", "b", "slow"]
    history.ended("slow", Cause.FINISHED, end_of("slow"), 3)
    assert ids(history) == ["c", "slow"]


def test_what_runs_is_never_forgotten() -> None:
    history = History(BEGIN_NS, most=1)
    for run in ("a", "b", "c"):
        history.submitted(run, "average", "local", 1)
    assert ids(history) == ["c", "b", "a"]


def test_when_there_are_too_many_bytes_the_oldest_lose_value_and_output() -> None:
    long, end = "x" * 1000, len(end_of("a", "x" * 1000))
    history = History(BEGIN_NS, most_bytes=2 * end)
    for run in ("a", "b", "c"):
        history.submitted(run, "average", "local", 1)
        history.ended(run, Cause.FINISHED, end_of(run, long), 2)
    found = [history.find(run) for run in ("a", "b", "c")]
    assert [each.complete for each in found] == [False, False, True]
    oldest = found[0].finished
    assert oldest is not None
    assert (oldest.value, oldest.output, oldest.usage.wall_ms) == (NIL, "", 1.5)


def test_when_that_is_not_enough_the_oldest_are_forgotten() -> None:
    history = History(BEGIN_NS, most_bytes=2 * len(shortened(end_of("a"))) + 1)
    for run in ("a", "b", "c", "d"):
        history.submitted(run, "average", "local", 1)
        history.ended(run, Cause.FINISHED, end_of(run), 2)
    assert ids(history) == ["d", "c"]


def test_a_single_end_has_its_bound_whoever_sends_it() -> None:
    history = History(BEGIN_NS, most_result_bytes=100)
    history.submitted("a", "average", "local", 1)
    history.ended("a", Cause.FINISHED, end_of("a", "x" * 100), 2)
    assert (history.find("a").complete, history.find("a").finished) == (False, None)


def test_an_end_that_was_shortened_before_says_so() -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    history.ended("a", Cause.FINISHED, end_of("a", None), 2, complete=False)
    assert not history.find("a").complete


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


# Asking.


def test_the_newest_come_first_a_page_at_a_time() -> None:
    history = history_of("a", "b", "c", "d", "e")
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page, after = history.page("*", None, 2, after)
        seen += [each.id for each in page]
    assert seen == ["e", "d", "c", "b", "a"]
    assert after == ""


def test_new_executions_do_not_move_the_next_page() -> None:
    history = history_of("a", "b", "c")
    _, after = history.page("*", None, 1, "")
    history.submitted("d", "average", "local", 5)
    assert ids(history, after=after) == ["b", "a"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["running", "waiting", "bad", "good"]),
        ({"script": "av*"}, ["running", "good"]),
        ({"script": "other"}, ["waiting", "bad"]),
        ({"state": ExecutionState.FAILED}, ["bad"]),
        ({"state": ExecutionState.FINISHED}, ["good"]),
        ({"state": ExecutionState.QUEUED}, ["waiting"]),
        ({"state": ExecutionState.RUNNING, "script": "a*"}, ["running"]),
        ({"state": ExecutionState.RUNNING, "script": "o*"}, []),
    ],
)
def test_script_and_state_choose(asked: dict[str, object], found: list[str]) -> None:
    history = history_of("good")
    for run, script in (("bad", "other"), ("waiting", "other"), ("running", "average")):
        history.submitted(run, script, "local", 1)
    history.ended("bad", Cause.TIME, end_of("bad", cause=Cause.TIME, failure=failure()), 2)
    history.started("running", "r1", 18, 2)
    assert ids(history, **asked) == found


def test_a_list_leaves_out_what_is_long() -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    end = end_of("a", failure=failure(line="3", traceback="t" * 50), output="text")
    history.ended("a", Cause.SCRIPT_ERROR, end, 2)
    (entry,), _ = history.page("*", None, 10, "")
    assert entry.finished is not None
    assert (entry.finished.value, entry.finished.output) == (NIL, "")
    assert entry.finished.failure == failure(line="3")
    whole = history.find("a").finished
    assert whole is not None
    assert whole.output == "text"


@pytest.mark.parametrize("page", ["x", "-1", "1.5", "1" * 30, "²"])
def test_a_page_that_nobody_gave_is_refused(page: str) -> None:
    with pytest.raises(InvalidArgument):
        ids(history_of("a"), after=page)


def test_who_is_unknown_is_told_how_far_back_the_history_goes() -> None:
    history = history_of("a", most=1)
    with pytest.raises(LokiError, match="back to 2026-11-28T00:50:10Z and holds 1 that") as caught:
        history.find("b" * 5000)
    assert caught.value.code is ErrorCode.EXECUTION_NOT_FOUND
    assert len(caught.value.message) < 300
    history.submitted("b", "average", "local", BEGIN_NS)
    history.ended("a", Cause.FINISHED, b"", BEGIN_NS)
    history.ended("b", Cause.FINISHED, b"", BEGIN_NS + 60 * 10**9)
    history.submitted("c", "average", "local", BEGIN_NS)
    history.ended("c", Cause.FINISHED, b"", BEGIN_NS + 70 * 10**9)
    with pytest.raises(LokiError, match="back to 2026-11-28T00:51:10Z"):
        history.find("a")


def test_only_what_has_not_ended_can_be_ended() -> None:
    history = history_of("a")
    history.submitted("b", "average", "local", 1)
    history.require_live("b")
    for run, says in (("a", "has ended already"), ("c", "no execution 'c'")):
        with pytest.raises(LokiError, match=says) as caught:
            history.require_live(run)
        assert caught.value.code is ErrorCode.EXECUTION_NOT_FOUND
