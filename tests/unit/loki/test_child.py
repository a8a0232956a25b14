"""Whom a child serves, and when it lets go of what a run held."""

import logging
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.child import ChildRole, Run
from loki.clock import FakeClock
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.envelope import Done, Failure, Message, Request
from loki.messages.execution import DescribeRun, RunClosed, RunOpened

RUNNER, OTHER_RUNNER = 11, 12
OLD, NEW = 21, 22  # Dispatchers.
GONE = Failure(code=ErrorCode.EXECUTION_NOT_FOUND, message="no such run is running")
AWAY = Failure(code=ErrorCode.CHILD_DOWN, message="dispatcher is not there")


class Take(Request[Done]):
    """Take the one thing there is."""


class Empty(Request[Done]):
    """Loki itself takes the thing away."""


class Break(Request[Done]):
    """Find a bug."""


@dataclass
class FakeShell:
    """Keeps what is asked of the Dispatcher, for the test to answer."""

    name: str = "locker"
    previous: str = ""
    clock: FakeClock = field(default_factory=FakeClock)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("locker"))
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def request(self, peer: str, request: DescribeRun, then: Any, **_: Any) -> None:
        assert peer == "dispatcher"
        self.asked.append((request.run, then))

    def answer(self, run: str, reply: RunOpened | Failure) -> None:
        (wanted, then) = self.asked.pop(0)
        assert wanted == run
        then(reply)


class Locker(ChildRole):
    """Holds one thing, for one run at a time."""

    holder = ""

    def calls(self) -> Any:
        return {Take: self._take, Break: lambda _request, _run: [][0]}

    def services(self) -> Any:
        return {Empty: self._empty}

    def _empty(self, _request: Empty) -> Done:
        self.holder = ""
        return Done()

    def release(self, run: Run) -> None:
        if self.holder == run.id:
            self.holder = ""

    def _take(self, _request: Take, run: Run) -> Any:
        if self.holder not in ("", run.id):
            return self.when_over(self.holder, run, lambda: self._taken(run))
        return self._taken(run)

    def _taken(self, run: Run) -> Done:
        if self.holder not in ("", run.id):
            raise LokiError(f"{self.holder} has it", code=ErrorCode.IO)
        self.holder = run.id
        return Done()


def opened(run: str, *, runner: int = RUNNER, dispatcher: int = OLD) -> RunOpened:
    return RunOpened(
        run=run,
        script="s",
        principal="local",
        permissions={},
        declared_in="tools.toml",
        runner_pid=runner,
        dispatcher_pid=dispatcher,
    )


class Bench:
    def __init__(self) -> None:
        self.shell = FakeShell()
        self.role = Locker(self.shell, b"")

    def tell(self, message: Message, *, kin: bool = True, pid: int = OLD) -> Any:
        return self._handle(message, "", kin=kin, pid=pid)

    def call(self, run: str, request: Message | None = None, *, pid: int = RUNNER) -> Any:
        return self._handle(request or Take(), run, kin=False, pid=pid)

    def _handle(self, message: Message, run: str, *, kin: bool, pid: int) -> Any:
        context = Context(peer="p", peer_pid=pid, kin=kin, run=run, trace="", deadline_s=None)
        return self.role.handlers()[type(message)](message, context)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_run_holds_until_it_is_closed(bench: Bench) -> None:
    bench.tell(opened("a"))
    bench.tell(opened("b"))
    assert bench.call("a") == Done()
    bench.tell(RunClosed(run="a"))
    assert bench.call("b") == Done()
    assert not bench.shell.asked


@pytest.mark.parametrize("reply", [opened("a"), AWAY])
def test_what_is_taken_by_a_run_that_may_run_is_refused(bench: Bench, reply: Any) -> None:
    bench.tell(opened("a"))
    bench.tell(opened("b"))
    bench.call("a")
    waits: Future[Any] = bench.call("b")
    assert not waits.done()
    bench.shell.answer("a", reply)
    with pytest.raises(LokiError, match="a has it"):
        waits.result(0)
    assert bench.role.holder == "a"


def test_what_a_run_holds_that_is_over_is_released_before_the_next_is_served(
    bench: Bench,
) -> None:
    """The Dispatcher's word of its end may be on its way, behind the next run's request."""
    bench.tell(opened("a"))
    bench.tell(opened("b"))
    bench.call("a")
    waits = bench.call("b")
    bench.shell.answer("a", GONE)
    assert waits.result(0) == Done()
    bench.tell(RunClosed(run="a"))  # It comes at last, and changes nothing.
    assert bench.role.holder == "b"


def test_a_run_that_ends_while_it_waits_for_another_gets_nothing(bench: Bench) -> None:
    bench.tell(opened("a"))
    bench.tell(opened("b"))
    bench.call("a")
    waits = bench.call("b")
    bench.tell(RunClosed(run="b"))
    bench.shell.answer("a", GONE)
    with pytest.raises(LokiError) as caught:
        waits.result(0)
    assert caught.value.code is ErrorCode.CHILD_DOWN
    assert bench.role.holder == ""


def test_runs_end_with_their_dispatcher_and_others_go_on(bench: Bench) -> None:
    bench.tell(opened("old"))
    bench.call("old")
    bench.tell(opened("new", dispatcher=NEW), pid=NEW)
    bench.role.lost("runner-1", OLD)
    bench.role.lost("dispatcher", 0)  # It is away for a second.
    assert bench.role.holder == "old"
    bench.role.lost("dispatcher", OLD)
    assert bench.role.holder == ""
    assert bench.call("new") == Done()
    bench.role.lost("dispatcher", OLD)
    assert bench.role.holder == "new"


def test_a_run_that_was_asked_about_ends_with_its_dispatcher_too(bench: Bench) -> None:
    waits = bench.call("a")
    bench.shell.answer("a", opened("a"))
    assert waits.result(0) == Done()
    bench.role.lost("dispatcher", OLD)
    assert bench.role.holder == ""


def test_a_call_of_a_run_that_is_over_is_refused(bench: Bench) -> None:
    bench.tell(opened("a"))
    bench.tell(RunClosed(run="a"))
    waits = bench.call("a")
    bench.shell.answer("a", GONE)
    with pytest.raises(LokiError):
        waits.result(0)
    assert bench.role.holder == ""


def test_a_bug_in_a_call_that_had_to_wait_is_told_to_its_caller(bench: Bench) -> None:
    """S-10.1.2: the shell makes an incident of it; a lost exception would be none."""
    waits = bench.call("a", Break())
    bench.shell.answer("a", opened("a"))
    with pytest.raises(IndexError):
        waits.result(0)


def test_only_its_own_runner_speaks_for_a_run(bench: Bench) -> None:
    bench.tell(opened("a"))
    waits = bench.call("a", pid=OTHER_RUNNER)
    bench.shell.answer("a", opened("a"))
    with pytest.raises(PermissionRefused, match="belongs to another process"):
        waits.result(0)


def test_a_run_that_got_another_runner_is_served_before_its_dispatcher_said_so(
    bench: Bench,
) -> None:
    """Two lanes have no order: the second runner's call may be read first."""
    bench.tell(opened("a"))
    waits = bench.call("a", pid=OTHER_RUNNER)
    bench.shell.answer("a", opened("a", runner=OTHER_RUNNER))
    assert waits.result(0) == Done()
    late = bench.call("a")
    bench.shell.answer("a", opened("a", runner=OTHER_RUNNER))
    with pytest.raises(PermissionRefused):
        late.result(0)


@pytest.mark.parametrize("message", [opened("a"), RunClosed(run="a")])
def test_only_the_dispatcher_opens_and_closes_runs(bench: Bench, message: Message) -> None:
    with pytest.raises(PermissionRefused):
        bench.tell(message, kin=False)


def test_what_belongs_to_everybody_is_for_lokis_own_parts_alone(bench: Bench) -> None:
    bench.tell(opened("a"))
    bench.call("a")
    with pytest.raises(PermissionRefused, match="only Loki's own parts"):
        bench.call("a", Empty())
    assert bench.role.holder == "a"
    assert bench.tell(Empty()) == Done()
    assert bench.role.holder == ""
