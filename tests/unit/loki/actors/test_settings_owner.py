"""What the starter tells of the settings, and whom."""

import asyncio
import logging
from typing import Any

import pytest

from loki.actors.role import Context
from loki.actors.settings_owner import ROOT, SettingsOwner
from loki.actors.settings_record import as_toml
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.configuration import DescribeSettings, RecordSettings, SettingsDescribed
from loki.messages.settings import SettingsKept, SettingsVersion
from tests.unit.loki.conftest import FakeShell

GATEWAY, RUNNER = 10, 99


class Configuration:
    """That of a Loki with one setting."""

    def __init__(self, keeper: str = "hel") -> None:
        self.keeper = keeper
        self.record = '{"queue": {"max_length": 7}}'

    def describe(self, version: int) -> SettingsDescribed:
        return SettingsDescribed(version=version, file="loki.toml", settings=())


def context(pid: int) -> Context:
    return Context(peer="gateway", peer_pid=pid, kin=False, run="", trace="", deadline_s=None)


def owner(shell: FakeShell, configuration: Any) -> SettingsOwner:
    return SettingsOwner(shell, configuration, lambda context: context.peer_pid == GATEWAY)


def describe(owner: SettingsOwner, pid: int = GATEWAY) -> SettingsDescribed:
    handler: Any = owner.handlers()[DescribeSettings]
    found: SettingsDescribed = asyncio.run(handler(DescribeSettings(), context(pid)))
    return found


def test_what_is_told_is_kept_by_then(shell: FakeShell) -> None:
    version = SettingsVersion(number=3, time_ns=5)
    shell.answers[RecordSettings] = lambda _: SettingsKept(version=version)
    configuration = Configuration()
    assert describe(owner(shell, configuration)).version == 3
    ((peer, asked, _),) = shell.sent(RecordSettings)
    assert peer == ROOT
    assert asked == RecordSettings(keeper="hel", text=as_toml(configuration.record))


def test_without_a_keeper_there_is_no_version(shell: FakeShell) -> None:
    assert describe(owner(shell, Configuration(keeper=""))).version == 0
    assert shell.sent(RecordSettings) == []


def test_a_keeper_that_is_away_keeps_nobody_from_the_settings(
    shell: FakeShell, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_request: Any) -> Any:
        raise LokiError("hel is not there", code=ErrorCode.CHILD_DOWN)

    shell.answers[RecordSettings] = away
    with caplog.at_level(logging.WARNING):
        assert describe(owner(shell, Configuration())).version == 0
    assert caplog.messages == ["this version of the settings is not kept: hel is not there"]


def test_strangers_are_told_nothing(shell: FakeShell) -> None:
    with pytest.raises(PermissionRefused, match="no part of Loki"):
        describe(owner(shell, Configuration()), RUNNER)
