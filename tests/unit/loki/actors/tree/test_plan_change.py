"""Who is told, who is restarted, and in which order, when configurations change."""

from concurrent.futures import Future
from typing import Any

import msgspec
import pytest

from loki.actors.tree.plan_change import PlanChange
from loki.core.supervisor import state as words
from loki.core.supervisor.state import Phase
from loki.errors import ErrorCode
from loki.messages.envelope import Done, Failure
from loki.messages.lifecycle import ChangeConfig
from loki.messages.tree import ActorPlan
from tests.unit.loki.conftest import FakeShell


class Supervisor:
    """Does at once what it is asked for, and notes it."""

    def __init__(self, **phases: Phase) -> None:
        self.phases = phases
        self.asked: list[tuple[type[words.Request], str]] = []

    def administer(self, request: Any) -> Future[Any]:
        asked = request(1)
        self.asked.append((type(asked), asked.name))
        done: Future[Any] = Future()
        done.set_result(Done())
        return done


def actor(name: str, *, service: bool = False) -> ActorPlan:
    return ActorPlan(name=name, role="m:R", config=msgspec.Raw(name.encode()), service=service)


def change(shell: FakeShell, supervisor: Supervisor, *actors: ActorPlan) -> tuple[str, ...]:
    change = PlanChange(shell, actors, supervisor.phases.__getitem__, supervisor.administer)
    change.begin()
    restarted: tuple[str, ...] = change.promise.result(0).restarted
    return restarted


def told(shell: FakeShell) -> list[tuple[str, bytes]]:
    return [(peer, bytes(message.config)) for peer, message, _ in shell.sent(ChangeConfig)]


def test_parts_of_loki_are_told_one_after_the_other(shell: FakeShell) -> None:
    shell.answers[ChangeConfig] = lambda _: Done()
    supervisor = Supervisor(library=Phase.UP, gateway=Phase.UP)
    assert change(shell, supervisor, actor("library"), actor("gateway")) == ()
    assert told(shell) == [("library", b"library"), ("gateway", b"gateway")]
    assert supervisor.asked == []


def test_a_child_is_stopped_and_started(shell: FakeShell) -> None:
    supervisor = Supervisor(hel=Phase.UP)
    assert change(shell, supervisor, actor("hel", service=True)) == ("hel",)
    assert supervisor.asked == [(words.AskStop, "hel"), (words.AskRestart, "hel")]
    assert told(shell) == []


def test_a_part_that_does_not_take_it_is_too(shell: FakeShell) -> None:
    shell.answers[ChangeConfig] = lambda _: Failure(code=ErrorCode.CHILD_DOWN, message="gone")
    supervisor = Supervisor(gateway=Phase.UP)
    assert change(shell, supervisor, actor("gateway")) == ("gateway",)


@pytest.mark.parametrize(
    ("phase", "asked"),
    [
        (Phase.STARTING, [words.AskStop, words.AskRestart]),
        (Phase.DELAYED, [words.AskReset]),
        (Phase.WAITING, []),
        (Phase.STOPPING, []),
        (Phase.IDLE, []),
    ],
)
def test_whoever_is_not_up_starts_with_the_new_one(
    shell: FakeShell, phase: Phase, asked: list[type[words.Request]]
) -> None:
    """One that somebody stopped stays so; one that is out of service may work now."""
    supervisor = Supervisor(hel=phase)
    change(shell, supervisor, actor("hel"))
    assert [request for request, _ in supervisor.asked] == asked
