"""What the root is told, and what is left out of a flood."""

import logging
from typing import Any

import pytest

from loki.actors.door.announcer import Announcer
from loki.core.throttle import AT_ONCE
from loki.errors import ResourceLimitExceeded
from loki.messages.event import BudgetWarned, ConfigRejected, EventHappened
from loki.messages.execution import BudgetWarned as Warned
from tests.unit.loki.conftest import FakeShell

WARNED = Warned(run="x", limit="max_memory_mb", used=9, allowed=10)


def told(shell: FakeShell) -> list[Any]:
    return [(peer, message.fact) for peer, message, _ in shell.sent(EventHappened)]


def test_s_5_3_2_a_warning_tells_all_that_is_known(shell: FakeShell) -> None:
    Announcer(shell).warn(WARNED, "greedy")
    expected = BudgetWarned(run="x", script="greedy", limit="max_memory_mb", used=9, allowed=10)
    assert told(shell) == [("loki", expected)]


def test_a_flood_of_warnings_reaches_neither_root_nor_log(
    shell: FakeShell, caplog: pytest.LogCaptureFixture
) -> None:
    announcer = Announcer(shell)
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            announcer.warn(WARNED, "greedy")
        assert AT_ONCE <= len(told(shell)) < AT_ONCE + 10
        announcer.warn(WARNED, "other")
    assert len(caplog.messages) == len(told(shell))
    left_out = told(shell)[-1][1].left_out
    assert left_out > 900
    assert caplog.messages[0] == "run=x script=greedy used 9 of max_memory_mb = 10"
    assert caplog.messages[-1].endswith(f"10; {left_out} warnings were left out before")


def test_what_cannot_be_told_is_logged(
    shell: FakeShell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise ResourceLimitExceeded("loki does not read")

    monkeypatch.setattr(shell, "send", full)
    with caplog.at_level(logging.WARNING):
        Announcer(shell).tell(ConfigRejected(file="f", problem="p"))
    assert "ConfigRejected is not told: loki does not read" in caplog.text
