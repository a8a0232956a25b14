"""The settings as clients see them, and as the Python client does."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from loki.client import AsyncLokiClient, LokiClient, LokiClientError, Setting
from loki.errors import ErrorCode, LokiError
from loki.messages.configuration import (
    ChangeSettings,
    DescribeSettings,
    SettingEdit,
    SettingEffect,
    SettingsDescribed,
    SettingsEdited,
    SettingSource,
)
from loki.messages.configuration import Setting as Told
from loki.messages.settings import (
    ListSettings,
    ReadSettings,
    SettingsListed,
    SettingsRead,
    SettingsVersion,
)
from tests.unit.loki.conftest import FakeShell, Hosted

S_NS = 1_000_000_000
AT = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
SETTINGS = (
    Told(
        key="grpc_port",
        value="1",
        source=SettingSource.OPTION,
        origin="--port",
        effect=SettingEffect.RESTART,
        running="2",
    ),
    Told(
        key="queue.max_length",
        value="1000",
        source=SettingSource.DEFAULT,
        effect=SettingEffect.NEXT_RUN,
    ),
)
DESCRIBED = SettingsDescribed(version=4, file="/x/loki.toml", settings=SETTINGS, problem="no")


@pytest.fixture
def client(shell: FakeShell, host: Callable[..., Hosted]) -> Iterator[LokiClient]:
    shell.answers[DescribeSettings] = lambda _: DESCRIBED
    with LokiClient(host(shell, keeper="hel").address, patience_s=0) as client:
        yield client


def test_s_r_9_the_settings_come_with_their_sources(shell: FakeShell, client: LokiClient) -> None:
    found = client.settings.get()
    ((peer, _, timeout_s),) = shell.sent(DescribeSettings)
    assert (peer, timeout_s) == ("starter", 10.0)
    assert (found.version, found.file, found.problem) == (4, "/x/loki.toml", "no")
    assert found.time is None
    port, length = found.settings
    assert port == Setting(
        key="grpc_port",
        value=1,
        source="option",
        origin="--port",
        effect="restart",
        waits=True,
        running=2,
    )
    assert (length.source, length.effect, length.waits, length.running) == (
        *("default", "next_run"),
        *(False, 1000),
    )
    assert found["queue.max_length"] == 1000
    with pytest.raises(KeyError):
        found["nope"]


def test_asyncio_gets_the_same(client: LokiClient, shell: FakeShell, host: Any) -> None:
    async def get() -> Any:
        async with AsyncLokiClient(host(shell).address) as own:
            return await own.get_settings()

    assert asyncio.run(get()) == client.settings.get()


def test_an_earlier_version_is_its_values(shell: FakeShell, client: LokiClient) -> None:
    version = SettingsVersion(number=2, time_ns=5 * S_NS)
    text = 'grpc_port = 3\n[security.principals."a.b"]\nroles = ["read"]\n'
    shell.answers[ReadSettings] = lambda _: SettingsRead(version=version, text=text)
    found = client.settings.get(2)
    ((peer, asked, _),) = shell.sent(ReadSettings)
    assert (peer, asked) == ("hel", ReadSettings(number=2))
    assert (found.version, found.time, found.file) == (2, AT, "")
    assert [(s.key, s.value) for s in found.settings] == [
        ("grpc_port", 3),
        ('security.principals."a.b".roles', ["read"]),
    ]
    assert {(s.source, s.effect, s.waits) for s in found.settings} == {("", "", False)}


def test_versions_are_listed(shell: FakeShell, client: LokiClient) -> None:
    version = SettingsVersion(number=2, time_ns=5 * S_NS)
    shell.answers[ListSettings] = lambda _: SettingsListed(versions=(version,))
    (found,) = client.settings.versions()
    assert (found.version, found.time) == (2, AT)


@pytest.mark.parametrize("call", [lambda s: s.get(1), lambda s: s.versions()])
def test_without_a_keeper_there_are_no_versions(
    shell: FakeShell, host: Callable[..., Hosted], call: Callable[[Any], Any]
) -> None:
    address = host(shell).address
    with LokiClient(address, patience_s=0) as client, pytest.raises(LokiClientError) as raised:
        call(client.settings)
    assert raised.value.reason == "CHILD_DISABLED"


def test_a_version_that_is_none_is_refused(shell: FakeShell, client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as raised:
        client.settings.get(-1)
    assert raised.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert shell.sent(ReadSettings) == []

    def unknown(_request: Any) -> Any:
        raise LokiError("version 9 of the settings is not kept", code=ErrorCode.NOT_FOUND)

    shell.answers[ReadSettings] = unknown
    with pytest.raises(LokiClientError) as raised:
        client.settings.get(9)
    assert raised.value.code is grpc.StatusCode.NOT_FOUND


def test_s_r_9_an_update_is_asked_of_who_has_the_file(shell: FakeShell, client: LokiClient) -> None:
    shell.answers[ChangeSettings] = lambda _: SettingsEdited(version=5, changed=SETTINGS[1:])
    values = {"queue.max_length": 5, "tools": "ö"}
    done = client.settings.update(
        values, remove=["grpc_port"], expected_version=4, validate_only=True
    )
    assert (done.version, [each.key for each in done.changed]) == (5, ["queue.max_length"])
    ((peer, asked, _),) = shell.sent(ChangeSettings)
    assert peer == "starter"
    assert asked == ChangeSettings(
        edits=(
            SettingEdit(key="queue.max_length", value="5"),
            SettingEdit(key="tools", value='"\\u00f6"'),
            SettingEdit(key="grpc_port", value=None),
        ),
        principal="local",
        expected_version=4,
        validate_only=True,
    )


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_a_value_that_is_none_in_json_is_refused_before(client: LokiClient, value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|a: "):
        client.settings.update({"a": value})


def test_another_version_is_aborted(shell: FakeShell, client: LokiClient) -> None:
    def conflict(_request: Any) -> Any:
        raise LokiError("of version 4", code=ErrorCode.REVISION_CONFLICT)

    shell.answers[ChangeSettings] = conflict
    with pytest.raises(LokiClientError) as raised:
        client.settings.update({"a": 1}, expected_version=3)
    assert raised.value.code is grpc.StatusCode.ABORTED


def test_asyncio_updates_too(shell: FakeShell, host: Any) -> None:
    shell.answers[ChangeSettings] = lambda _: SettingsEdited(version=5, changed=())

    async def update() -> Any:
        async with AsyncLokiClient(host(shell).address) as own:
            return await own.update_settings({"a": 1}, expected_version=4)

    assert asyncio.run(update()).version == 5
    ((_, asked, _),) = shell.sent(ChangeSettings)
    assert (asked.expected_version, asked.validate_only) == (4, False)
