"""How ends are told: to the gateway at once, to whoever asks later, and to no runner."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec
import pytest

from loki.actors.dispatcher.chronicle import Chronicle
from loki.actors.door.role import Context, Timer
from loki.clock import FakeClock
from loki.core.history.remembered import Remembered
from loki.core.history.remembered import kept as to_row
from loki.core.run.execution import refused
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.archive import (
    ArchiveOpened,
    FindKept,
    KeepExecutions,
    Kept,
    KeptFound,
    KeptListed,
    ListKept,
    OpenArchive,
)
from loki.messages.envelope import Done
from loki.messages.execution import Cause, RunEnded, RunFinished, SubmitRun
from loki.messages.history import ExecutionState, GetExecution, ListExecutions
from loki.messages.script import Origin, Script
from loki.messages.value import pack, unpack

SCRIPT = Script(name="x", source="", chunk="x", revision="r1")


class FakeShell:
    """Timers fire at once, but for long ones; the keeper answers at once."""

    log = logging.getLogger("loki.test")

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sent: list[tuple[str, Any]] = []
        self.asked: list[Any] = []
        self.answers: dict[type, Any] = {OpenArchive: ArchiveOpened(session=1)}

    def send(self, peer: str, message: Any) -> None:
        self.sent.append((peer, message))

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        if not delay_s:
            action()
        return NoTimer()

    def request(
        self, peer: str, request: Any, then: Callable[[Any], None], *, timeout_s: float
    ) -> None:
        self.asked.append(request)
        then(self.answers.get(type(request), Done()))


class NoTimer:
    def cancel(self) -> None:
        pass


def context(*, kin: bool) -> Context:
    return Context(peer="someone", peer_pid=7, kin=kin, run="", trace="", deadline_s=None)


class Desk:
    """A chronicle, and a gateway that asks it."""

    def __init__(self, keeper: str = "") -> None:
        self.shell = FakeShell()
        self.chronicle = Chronicle(self.shell, keeper)  # type: ignore[arg-type]  # As much as it needs.
        self.chronicle.begin()
        self.chronicle.submitted(SubmitRun(run="a", principal="local"), "x")

    def ask(self, request: Any, *, kin: bool = True) -> Any:
        answer = self.chronicle.handlers()[type(request)](request, context(kin=kin))
        return answer.result(0) if isinstance(answer, Future) else answer

    def get(self) -> Any:
        return self.ask(GetExecution(run="a")).execution


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def kept() -> Desk:
    """With a keeper behind it."""
    return Desk("hel")


def row(number: int) -> Kept:
    """As the keeper has one of an earlier session."""
    old = Remembered(number, f"old{number}", "x", "local", 5, ended_ns=6, cause=Cause.INTERRUPTED)
    return to_row(old)


def test_what_the_dispatcher_ends_is_told_and_kept(desk: Desk) -> None:
    told = refused("a", "x", LokiError("no", code=ErrorCode.QUEUE_FULL))
    desk.chronicle.tell("gateway", told)
    assert desk.shell.sent == [("gateway", told)]
    assert desk.get().finished == told
    (listed,) = desk.ask(ListExecutions()).executions
    assert (listed.id, listed.state, listed.cause) == ("a", ExecutionState.FAILED, Cause.REFUSED)


def test_what_a_runner_told_is_kept_and_not_told_again(desk: Desk) -> None:
    desk.chronicle.started("a", SCRIPT, 17)
    assert (desk.get().state, desk.get().revision) == (ExecutionState.RUNNING, "r1")
    finished = RunFinished(run="a", script="x", cause=Cause.FINISHED, value=pack(7))
    end = msgspec.Raw(msgspec.msgpack.encode(finished))
    desk.chronicle.told(RunEnded(run="a", cause=Cause.FINISHED, end=end))
    assert desk.shell.sent == []
    assert unpack(desk.get().finished.value) == 7


def test_a_source_that_came_along_has_no_revision(desk: Desk) -> None:
    adhoc = msgspec.structs.replace(SCRIPT, origin=Origin.ADHOC)
    desk.chronicle.started("a", adhoc, 17)
    assert desk.get().revision == ""


@pytest.mark.parametrize("request_", [GetExecution(run="a"), ListExecutions()])
def test_a_runner_may_not_read_what_others_ran(desk: Desk, request_: Any) -> None:
    with pytest.raises(PermissionRefused):
        desk.ask(request_, kin=False)


def test_without_a_keeper_there_is_nothing_but_memory(desk: Desk) -> None:
    with pytest.raises(LokiError, match="back to 1970-01-01T00:00:00Z and holds 1000 that"):
        desk.ask(GetExecution(run="b"))
    with pytest.raises(LokiError, match="no execution 'b'"):
        desk.chronicle.refuse("b")
    ended: list[bool] = []
    desk.chronicle.finish(1.0, lambda: ended.append(True))
    assert (ended, desk.shell.asked) == ([True], [])


def test_what_memory_has_is_answered_without_the_keeper(kept: Desk) -> None:
    assert kept.get().id == "a"
    running = kept.ask(ListExecutions(state=ExecutionState.QUEUED)).executions
    assert [each.id for each in running] == ["a"]
    assert [type(each) for each in kept.shell.asked] == [OpenArchive]


def test_what_memory_has_not_is_asked_of_the_keeper(kept: Desk) -> None:
    kept.shell.answers[FindKept] = KeptFound(execution=row(3), begins_ns=5)
    found = kept.ask(GetExecution(run="old3")).execution
    assert (found.id, found.state, found.cause) == (
        "old3",
        ExecutionState.FAILED,
        Cause.INTERRUPTED,
    )
    assert kept.shell.asked[-1] == FindKept(run="old3")
    with pytest.raises(LokiError, match=r"'old3' has ended already \(interrupted\)"):
        kept.chronicle.refuse("old3").result(0)


def test_who_is_unknown_to_both_is_told_how_far_back_the_keeper_goes(kept: Desk) -> None:
    begins_ns = 1_795_827_010_000_000_000
    kept.shell.answers[FindKept] = KeptFound(execution=None, begins_ns=begins_ns)
    with pytest.raises(LokiError, match=r"goes back to 2026-11-28T00:50:10Z$") as caught:
        kept.ask(GetExecution(run="nosuch"))
    assert caught.value.code is ErrorCode.EXECUTION_NOT_FOUND


def test_a_list_goes_on_from_memory_into_what_the_keeper_has(kept: Desk) -> None:
    kept.shell.answers[ListKept] = KeptListed(executions=(row(9), row(7)), more=True)
    first = kept.ask(ListExecutions(page_size=2))
    assert [each.id for each in first.executions] == ["a", "old9"]
    kept.shell.answers[ListKept] = KeptListed(executions=(row(7),), more=False)
    rest = ListExecutions(page_size=2, page=first.next_page, among=("a*", "old*"))
    second = kept.ask(rest)
    assert [each.id for each in second.executions] == ["old7"]
    assert second.next_page == ""
    assert kept.shell.asked[-1] == ListKept(
        script="*", state=None, below=9, size=2, among=rest.among
    )


def test_at_the_end_what_runs_is_ended_and_written(kept: Desk) -> None:
    ended: list[bool] = []
    kept.chronicle.finish(1.0, lambda: ended.append(True))
    assert ended == [True]
    last = kept.shell.asked[-1]
    assert isinstance(last, KeepExecutions)
    assert [(each.id, each.cause) for each in last.executions] == [("a", "cancelled")]


def test_a_name_of_any_length_is_cut(desk: Desk) -> None:
    desk.chronicle.submitted(SubmitRun(run="b", principal="local"), "x" * 10_000)
    assert desk.ask(GetExecution(run="b")).execution.script == "x" * 200
