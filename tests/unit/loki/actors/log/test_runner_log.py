"""What a runner logs, and what the Dispatcher makes of it."""

import logging
from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.actors.log.runner_log import AT_ONCE, PER_S, REMEMBERED_DEATHS, Relay, RunnerLog
from loki.clock import FakeClock
from loki.core.log_record import MOST_TEXT_CHARACTERS
from loki.errors import ResourceLimitExceeded
from loki.messages.envelope import Message
from loki.messages.log import RunnerLogged

PIDS = {"runner-1": 11, "runner-2": 12}


class FakeShell:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sent: list[Message] = []
        self.full = False

    def send(self, peer: str, message: Message) -> None:
        assert peer == "dispatcher"
        if self.full:
            raise ResourceLimitExceeded("full")
        self.sent.append(message)


@pytest.fixture
def shell() -> FakeShell:
    return FakeShell()


@pytest.fixture
def runner_log(shell: FakeShell) -> RunnerLog:
    return RunnerLog(shell, PIDS.get)  # type: ignore[arg-type]  # As much of a shell as it needs.


def tell(runner_log: RunnerLog, text: str, peer: str = "runner-1", pid: int = 11) -> None:
    context = Context(peer=peer, peer_pid=pid, kin=False, run="", trace="t1", deadline_s=None)
    message = RunnerLogged(level=logging.ERROR, text=text, execution="x1", incident="12ab")
    runner_log.handlers()[RunnerLogged](message, context)


def relay_of(shell: FakeShell) -> Relay:
    return Relay(shell, "dispatcher")  # type: ignore[arg-type]  # As above.


def test_a_record_is_sent_with_what_it_brings_along(shell: FakeShell) -> None:
    logger = logging.Logger("loki.runner-1")
    logger.addHandler(relay_of(shell))
    logger.warning("%s\n\udc80", "hot", extra={"execution": "x1", "incident": "12ab"})
    assert shell.sent == [
        RunnerLogged(level=30, text="hot\n\\udc80", execution="x1", incident="12ab")
    ]


def test_a_long_record_is_cut_before_it_is_sent(shell: FakeShell) -> None:
    logger = logging.Logger("loki.runner-1")
    logger.addHandler(relay_of(shell))
    logger.warning("x" * 10 * MOST_TEXT_CHARACTERS)
    (message,) = shell.sent
    assert isinstance(message, RunnerLogged)
    assert len(message.text) == MOST_TEXT_CHARACTERS


def test_what_a_send_logs_itself_is_not_sent(shell: FakeShell) -> None:
    logger = logging.Logger("loki.runner-1")
    logger.addHandler(relay_of(shell))
    send = shell.send

    def noisy(peer: str, message: Message) -> None:
        logger.warning("about to send")
        send(peer, message)

    shell.send = noisy  # type: ignore[method-assign]
    logger.warning("once")
    assert [getattr(message, "text", "") for message in shell.sent] == ["once"]


def test_a_full_outbox_ends_nothing(shell: FakeShell) -> None:
    shell.full = True
    logger = logging.Logger("loki.runner-1")
    logger.addHandler(relay_of(shell))
    logger.warning("lost")
    shell.full = False
    logger.warning("heard")
    assert len(shell.sent) == 1


def test_name_and_pid_are_the_kernels_and_the_rest_the_runners(
    runner_log: RunnerLog, caplog: pytest.LogCaptureFixture
) -> None:
    tell(runner_log, "50 % of %s")
    (record,) = caplog.records
    known: dict[str, Any] = vars(record)
    assert record.getMessage() == "50 % of %s"
    assert (record.name, record.levelname) == ("loki.runner-1", "ERROR")
    assert (known["actor"], known["actor_pid"]) == ("runner-1", 11)
    assert (known["execution"], known["trace"], known["incident"]) == ("x1", "t1", "12ab")


@pytest.mark.parametrize(("peer", "pid"), [("hel", 11), ("runner-2", 11), ("runner-1", 13)])
def test_who_is_not_the_runner_of_that_name_is_not_heard(
    runner_log: RunnerLog, caplog: pytest.LogCaptureFixture, peer: str, pid: int
) -> None:
    tell(runner_log, "I am hel", peer, pid)
    assert not caplog.records


def test_a_flood_is_cut_short_and_told_once_and_others_are_heard(
    shell: FakeShell, runner_log: RunnerLog, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10 * AT_ONCE):
        tell(runner_log, f"line {number}")
    assert len(caplog.records) == AT_ONCE + 1
    assert "is left out" in caplog.records[-1].getMessage()
    tell(runner_log, "me too", "runner-2", 12)
    assert caplog.records[-1].getMessage() == "me too"
    caplog.clear()
    shell.clock.advance(1.0)
    for number in range(10 * AT_ONCE):
        tell(runner_log, f"line {number}")
    assert len(caplog.records) == PER_S + 1


def test_the_last_words_of_a_dead_runner_are_heard(
    runner_log: RunnerLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Its death may be told before what it sent is read."""
    runner_log.ended("runner-3", 13)
    tell(runner_log, "a bug ends me", "runner-3", 13)
    tell(runner_log, "me too", "runner-3", 14)
    assert [record.getMessage() for record in caplog.records] == ["a bug ends me"]


def test_of_the_dead_only_the_last_are_remembered(
    runner_log: RunnerLog, caplog: pytest.LogCaptureFixture
) -> None:
    for pid in range(1000, 1000 + 2 * REMEMBERED_DEATHS):
        runner_log.ended("runner-3", pid)
        tell(runner_log, "late", "runner-3", pid)
    caplog.clear()
    tell(runner_log, "very late", "runner-3", 1000)
    assert not caplog.records
    assert len(runner_log._allowances) == REMEMBERED_DEATHS
