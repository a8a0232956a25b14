"""What the starter tells of the settings, and whom."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.actors.settings.owner import RETRY_S, SettingsOwner, as_toml
from loki.errors import ErrorCode, LokiError, PermissionRefused, ServiceUnavailable
from loki.messages.configuration import (
    ChangeSettings,
    DescribeSettings,
    RecordSettings,
    Setting,
    SettingEdit,
    SettingEffect,
    SettingsDescribed,
    SettingsEdited,
    SettingSource,
)
from loki.messages.lifecycle import ROOT
from loki.messages.settings import SettingsKept, SettingsVersion
from tests.unit.loki.conftest import FakeShell

GATEWAY, RUNNER = 10, 99
LENGTH = Setting(
    key="queue.max_length", value="8", source=SettingSource.FILE, effect=SettingEffect.NOW
)
EDIT = SettingEdit(key="queue.max_length", value="8")


class Configuration:
    """That of a Loki with one setting."""

    def __init__(self, keeper: str = "hel") -> None:
        self.keeper = keeper
        self.record = '{"queue": {"max_length": 7}}'

    def change(self, request: ChangeSettings) -> SettingsEdited:
        self.record = '{"queue": {"max_length": 8}}'
        return SettingsEdited(version=0, changed=(LENGTH,) if request.edits else ())

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


class Slow(FakeShell):
    """Whose timers a test fires."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def later(self, delay_s: float, action: Callable[[], None]) -> Any:
        self.timers.append((delay_s, action))
        return SimpleNamespace(cancel=lambda: None)


@pytest.mark.parametrize(
    ("code", "level"), [(ErrorCode.CHILD_DOWN, "INFO"), (ErrorCode.IO, "WARNING")]
)
def test_a_keeper_that_cannot_is_asked_again_later(
    caplog: pytest.LogCaptureFixture, code: ErrorCode, level: str
) -> None:
    shell, replies = Slow(), [LokiError("not now", code=code)]

    def keep(_request: RecordSettings) -> SettingsKept:
        if replies:
            raise replies[0]
        return SettingsKept(version=SettingsVersion(number=3, time_ns=5))

    async def live() -> None:
        shell.answers[RecordSettings] = keep
        handler: Any = owner(shell, Configuration()).handlers()[DescribeSettings]
        for _ in range(2):
            assert (await handler(DescribeSettings(), context(GATEWAY))).version == 0
        ((delay_s, again),) = shell.timers
        assert delay_s == RETRY_S
        replies.clear()
        again()
        await asyncio.sleep(0)

    with caplog.at_level(logging.INFO):
        asyncio.run(live())
    ((_, logged, text),) = caplog.record_tuples
    assert logged == getattr(logging, level)
    assert text == "this version of the settings is not kept: not now"
    assert len(shell.sent(RecordSettings)) == 3


class Waiting(FakeShell):
    """Whose peers answer when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answered = asyncio.Event(), asyncio.Event()

    async def ask(self, *_given: Any, **_more: Any) -> Any:
        self.asked.set()
        await self.answered.wait()
        raise ServiceUnavailable("the root is ending")


def test_one_that_is_closed_while_it_begins_looks_at_nothing() -> None:
    """Else a thread would be there when the next system is forked."""

    async def live() -> None:
        shell = Waiting()
        owned = owner(shell, Configuration())  # Which has no file: to look at it would be an error.
        owned.begin()
        await shell.asked.wait()
        shell.answered.set()
        owned.close()
        (beginning,) = shell.minded
        with pytest.raises(asyncio.CancelledError):
            await beginning

    asyncio.run(live())


def test_strangers_are_told_nothing(shell: FakeShell) -> None:
    with pytest.raises(PermissionRefused, match="no part of Loki"):
        describe(owner(shell, Configuration()), RUNNER)


class Working(FakeShell):
    """With a thread, and a root that counts versions."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []
        self.answers[RecordSettings] = self._keep

    def _keep(self, request: RecordSettings) -> SettingsKept:
        if self.kept[-1:] != [request.text]:
            self.kept.append(request.text)
        return SettingsKept(version=SettingsVersion(number=len(self.kept), time_ns=0))

    def worker(self, name: str) -> Executor:
        assert name == "settings"
        return ThreadPoolExecutor(max_workers=1)


def change(shell: FakeShell, configuration: Any, pid: int = GATEWAY, **more: Any) -> SettingsEdited:
    request = ChangeSettings(**{"edits": (EDIT,), "principal": "ops"} | more)

    async def ask() -> SettingsEdited:
        handler: Any = owner(shell, configuration).handlers()[ChangeSettings]
        edited: SettingsEdited = await handler(request, context(pid))
        return edited

    return asyncio.run(ask())


def test_a_change_is_a_version_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    shell, configuration = Working(), Configuration()
    with caplog.at_level(logging.WARNING):
        edited = change(shell, configuration, expected_version=1)
    assert edited == SettingsEdited(version=2, changed=(LENGTH,))
    assert shell.kept[-1] == as_toml(configuration.record)
    assert caplog.messages == ["'ops' changed the settings: queue.max_length"]


@pytest.mark.parametrize("more", [{"validate_only": True}, {"edits": ()}])
def test_what_changes_nothing_is_not_in_the_log(
    caplog: pytest.LogCaptureFixture, more: dict[str, Any]
) -> None:
    with caplog.at_level(logging.WARNING):
        change(Working(), Configuration(), **more)
    assert caplog.messages == []


def test_another_version_than_the_expected_one_changes_nothing() -> None:
    configuration = Configuration()
    before = configuration.record
    with pytest.raises(LokiError, match="of version 1 by now, and not 7") as raised:
        change(Working(), configuration, expected_version=7)
    assert raised.value.code is ErrorCode.REVISION_CONFLICT
    with pytest.raises(ServiceUnavailable, match="nobody can tell"):
        change(Working(), Configuration(keeper=""), expected_version=1)
    assert configuration.record == before


def test_strangers_change_nothing() -> None:
    configuration = Configuration()
    with pytest.raises(PermissionRefused):
        change(Working(), configuration, RUNNER)
    assert "7" in configuration.record
