"""How ends are told: to the gateway at once, to whoever asks later, and to no runner."""

import logging
from typing import Any

import msgspec
import pytest

from loki.actors.chronicle import Chronicle
from loki.actors.role import Context
from loki.clock import FakeClock
from loki.core.execution import refused
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.execution import Cause, RunEnded, RunFinished, SubmitRun
from loki.messages.history import ExecutionState, GetExecution, ListExecutions
from loki.messages.script import Origin, Script
from loki.messages.value import pack, unpack

SCRIPT = Script(name="x", source="", chunk="x", revision="r1")


class FakeShell:
    log = logging.getLogger("loki.test")

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sent: list[tuple[str, Any]] = []

    def send(self, peer: str, message: Any) -> None:
        self.sent.append((peer, message))


def context(*, kin: bool) -> Context:
    return Context(peer="someone", peer_pid=7, kin=kin, run="", trace="", deadline_s=None)


class Desk:
    """A chronicle, and a gateway that asks it."""

    def __init__(self) -> None:
        self.shell = FakeShell()
        self.chronicle = Chronicle(self.shell)  # type: ignore[arg-type]  # As much as it needs.
        self.chronicle.submitted(SubmitRun(run="a", principal="local"), "x")

    def ask(self, request: Any, *, kin: bool = True) -> Any:
        return self.chronicle.handlers()[type(request)](request, context(kin=kin))

    def get(self) -> Any:
        return self.ask(GetExecution(run="a")).execution


@pytest.fixture
def desk() -> Desk:
    return Desk()


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
