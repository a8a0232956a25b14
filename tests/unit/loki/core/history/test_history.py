"""What is remembered of executions, how much of it, and for how long."""

import msgspec
import pytest

from loki.core.history import page
from loki.core.history.history import History, ended_already
from loki.core.history.remembered import described, listed, shortened
from loki.core.history.unwritten import Unwritten
from loki.errors import ErrorCode
from loki.messages.archive import SESSION_BITS
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, Usage
from loki.messages.history import Execution, ExecutionState, ListExecutions
from loki.messages.value import NIL, pack, unpack

BEGIN_NS = 1_795_827_010_000_000_000  # 2026-11-28T00:50:10Z


def end_of(run: str, value: object = 7, **fields: object) -> bytes:
    told = {"cause": Cause.FINISHED, "value": pack(value), "usage": Usage(wall_ms=1.5)} | fields
    return msgspec.msgpack.encode(RunFinished(run=run, script="average", **told))


def failure(**details: str) -> Failure:
    return Failure(code=ErrorCode.SCRIPT_ERROR, message="no", details=details)


def history_of(*runs: str, unwritten: Unwritten | None = None, **bounds: int) -> History:
    """In which these runs finished, one nanosecond after the other."""
    history = History(BEGIN_NS, unwritten, **bounds)
    for run in runs:
        history.submitted(run, "average", "local", BEGIN_NS + 1)
        history.started(run, "r1", 17, BEGIN_NS + 2)
        history.ended(run, Cause.FINISHED, end_of(run), BEGIN_NS + 3)
    return history


def find(history: History, run: str) -> Execution:
    found = history.find(run)
    assert found is not None
    return described(found)


def listing(history: History, **given: object) -> tuple[list[Execution], str]:
    asked = page.asked(ListExecutions(**given))
    found = page.of_memory(asked, history.search(asked), history.seam)
    return [listed(each) for each in found.executions], found.next


def ids(history: History, **given: object) -> list[str]:
    return [each.id for each in listing(history, **given)[0]]


# One execution, from its submission to its end.


def test_a_run_waits_runs_and_ends() -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    assert find(history, "a").state is ExecutionState.QUEUED
    history.started("a", "r1", 17, 2)
    running = find(history, "a")
    assert (running.state, running.started_ns, running.finished) == (
        ExecutionState.RUNNING,
        2,
        None,
    )
    history.ended("a", Cause.FINISHED, end_of("a"), 3)
    ended = find(history, "a")
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
    assert find(history, "a").state is ExecutionState.QUEUED
    history.started("a", "r1", 18, 3)
    again = find(history, "a")
    assert (again.state, again.attempts, again.runner_pid) == (ExecutionState.RUNNING, 2, 18)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.FINISHED])
def test_every_other_end_is_a_failure(cause: Cause) -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    history.ended("a", cause, end_of("a", cause=cause, failure=failure()), 2)
    ended = find(history, "a")
    assert (ended.state, ended.cause, ended.attempts) == (ExecutionState.FAILED, cause, 0)


def test_the_first_end_counts() -> None:
    history = history_of("a")
    history.ended("a", Cause.CRASHED, b"", 9)
    history.started("a", "r2", 18, 9)
    history.waits("a")
    assert find(history, "a").cause is Cause.FINISHED
    assert find(history, "a").runner_pid == 17


def test_the_end_of_an_unknown_run_is_no_execution() -> None:
    history = history_of()
    history.ended("a", Cause.FINISHED, end_of("a"), 2)
    assert ids(history) == []


@pytest.mark.parametrize("end", [b"", b"\xc1", b"\x80", pack("text"), end_of("a")[:-1]])
def test_an_end_that_cannot_be_read_is_an_end_without_a_result(end: bytes) -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    history.ended("a", Cause.FINISHED, bytes(end), 2)
    found = find(history, "a")
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
    found = [find(history, run) for run in ("a", "b", "c")]
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
    assert (find(history, "a").complete, find(history, "a").finished) == (False, None)


def test_an_end_that_was_shortened_before_says_so() -> None:
    history = History(BEGIN_NS)
    history.submitted("a", "average", "local", 1)
    history.ended("a", Cause.FINISHED, end_of("a", None), 2, complete=False)
    assert not find(history, "a").complete


# Asking.


def test_the_newest_come_first_a_page_at_a_time() -> None:
    history = history_of("a", "b", "c", "d", "e")
    seen: list[str] = []
    after = ""
    for _ in range(3):
        found, after = listing(history, page_size=2, page=after)
        seen += [each.id for each in found]
    assert seen == ["e", "d", "c", "b", "a"]
    assert after == ""


def test_new_executions_do_not_move_the_next_page() -> None:
    history = history_of("a", "b", "c")
    _, after = listing(history, page_size=1)
    history.submitted("d", "average", "local", 5)
    assert ids(history, page=after) == ["b", "a"]


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
    (entry,), _ = listing(history)
    assert entry.finished is not None
    assert (entry.finished.value, entry.finished.output) == (NIL, "")
    assert entry.finished.failure == failure(line="3")
    whole = find(history, "a").finished
    assert whole is not None
    assert whole.output == "text"


def test_who_is_unknown_is_told_how_far_back_the_history_goes() -> None:
    history = history_of("a", most=1)
    assert history.find("b") is None
    error = history.unknown("b" * 5000)
    assert "back to 2026-11-28T00:50:10Z and holds 1 that" in error.message
    assert error.code is ErrorCode.EXECUTION_NOT_FOUND
    assert len(error.message) < 300
    history.submitted("b", "average", "local", BEGIN_NS)
    history.ended("a", Cause.FINISHED, b"", BEGIN_NS)
    history.ended("b", Cause.FINISHED, b"", BEGIN_NS + 60 * 10**9)
    history.submitted("c", "average", "local", BEGIN_NS)
    history.ended("c", Cause.FINISHED, b"", BEGIN_NS + 70 * 10**9)
    assert history.find("a") is None
    assert "back to 2026-11-28T00:51:10Z" in history.unknown("a").message


def test_only_what_has_not_ended_is_live() -> None:
    history = history_of("a")
    history.submitted("b", "average", "local", 1)
    assert [history.is_live(run) for run in ("a", "b", "c")] == [False, True, False]
    found = history.find("a")
    assert found is not None
    error = ended_already(found)
    assert error.message == "execution 'a' has ended already (finished)"
    assert error.code is ErrorCode.EXECUTION_NOT_FOUND


def test_what_runs_at_an_orderly_stop_ends_with_it() -> None:
    history = history_of("a")
    history.submitted("b", "average", "local", 1)
    history.stopped(5)
    assert not history.is_live("b")
    stopped = find(history, "b")
    assert (stopped.cause, stopped.ended_ns) == (Cause.CANCELLED, 5)
    assert stopped.finished is not None
    assert stopped.finished.failure is not None
    assert stopped.finished.failure.code is ErrorCode.DRAINING
    assert find(history, "a").cause is Cause.FINISHED


# With a disk behind it.


def written(unwritten: Unwritten) -> list[str]:
    """What a batch took along; from now on it is on the disk."""
    taken = unwritten.take()
    unwritten.written(taken)
    return [found.id for found, _ in taken]


def test_numbers_go_on_where_the_last_session_left_them() -> None:
    history = history_of("a", unwritten=Unwritten())
    history.submitted("b", "average", "local", 1)
    history.continues(3)
    history.submitted("c", "average", "local", 1)
    first = 3 << SESSION_BITS
    found = history.search(page.asked(ListExecutions()))
    assert [(each.id, each.number - first) for each in found] == [("c", 3), ("b", 2), ("a", 1)]
    assert history.seam == first


def test_a_run_is_written_when_it_began_and_when_it_ended() -> None:
    unwritten = Unwritten()
    history = history_of("short", unwritten=unwritten)
    history.submitted("long", "average", "local", 1)
    assert written(unwritten) == ["short", "long"]
    assert written(unwritten) == []
    history.started("long", "r1", 17, 2)
    assert written(unwritten) == ["long"]
    history.ended("long", Cause.FINISHED, end_of("long"), 3)
    assert written(unwritten) == ["long"]
    assert written(unwritten) == []


def test_nothing_is_forgotten_before_it_is_on_the_disk() -> None:
    unwritten = Unwritten()
    history = history_of("a", "b", "c", unwritten=unwritten, most=1)
    assert ids(history) == ["c", "b", "a"]
    assert find(history, "a").cause is Cause.FINISHED
    written(unwritten)
    assert history.find("a") is None
    found = history.search(page.asked(ListExecutions()))
    assert [each.id for each in found] == ["c"]
    assert history.seam == 2


def test_what_gets_shorter_in_memory_takes_less_room_on_its_way() -> None:
    end = end_of("a", "x" * 1000)
    unwritten = Unwritten(batch_bytes=2 * len(end))
    history = History(BEGIN_NS, unwritten, most_bytes=len(end))
    for run in ("a", "b"):
        history.submitted(run, "average", "local", 1)
        history.ended(run, Cause.FINISHED, end_of(run, "x" * 1000), 2)
    assert not unwritten.full
    assert written(unwritten) == ["a", "b"]
