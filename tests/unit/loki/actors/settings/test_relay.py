"""What the root asks of others for the starter, and for nobody else."""

from concurrent.futures import Future
from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.actors.settings.relay import SettingsRelay
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.configuration import RecordSettings
from loki.messages.settings import KeepSettings, SettingsKept, SettingsVersion
from tests.unit.loki.conftest import FakeShell

STARTER = 7
RECORD = RecordSettings(keeper="hel", text="a = 1\n")


def record(shell: FakeShell, pid: int = STARTER, starter: int = STARTER) -> "Future[SettingsKept]":
    relay = SettingsRelay(shell, lambda: starter)
    sender = Context(peer="starter", peer_pid=pid, kin=False, run="", trace="", deadline_s=None)
    kept: Any = relay.handlers()[RecordSettings](RECORD, sender)
    return kept


def test_the_keeper_keeps_them(shell: FakeShell) -> None:
    kept = SettingsKept(version=SettingsVersion(number=2, time_ns=9))
    shell.answers[KeepSettings] = lambda _: kept
    assert record(shell).result(0) == kept
    ((peer, asked, _),) = shell.sent(KeepSettings)
    assert (peer, asked.text) == ("hel", RECORD.text)


def test_its_refusal_is_passed_on(shell: FakeShell) -> None:
    def full(_request: Any) -> Any:
        raise LokiError("the disk is full", code=ErrorCode.IO)

    shell.answers[KeepSettings] = full
    with pytest.raises(LokiError, match="the disk is full"):
        record(shell).result(0)


def test_only_the_starter_may_ask(shell: FakeShell) -> None:
    for pid, starter in ((8, STARTER), (0, 0)):
        with pytest.raises(PermissionRefused):
            record(shell, pid, starter)
    assert shell.sent(KeepSettings) == []
