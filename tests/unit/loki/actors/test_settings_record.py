"""When the settings are given to the keeper, and as what."""

import logging

import pytest
import tomli

from loki.actors.settings_record import AFTER_S, SettingsRecord
from loki.config import Settings
from loki.messages.settings import KeepSettings
from tests.unit.loki.actors.shelf import Keeper, Shell

SETTINGS = Settings(grpc_port=50071, queue={"max_length": 7})


def fire(shell: Shell) -> list[float]:
    due, shell.timers = shell.timers, []
    for timer in due:
        timer.action()
    return [timer.delay_s for timer in due]


def kept(shell: Shell) -> list[str]:
    return [request.text for _, request, _ in shell.sent(KeepSettings)]


def test_they_are_kept_as_toml_a_little_later_and_once(caplog: pytest.LogCaptureFixture) -> None:
    shell = Shell(Keeper())
    record = SettingsRecord(shell, "hel", SETTINGS.to_json())
    record.keep()
    record.keep()
    assert kept(shell) == []
    assert fire(shell) == [AFTER_S]
    (text,) = kept(shell)
    assert text == SETTINGS.to_toml()
    assert Settings.model_validate(tomli.loads(text)) == SETTINGS
    record.keep()  # The keeper may have another database now.
    assert fire(shell) == [AFTER_S]
    assert kept(shell) == [text, text]
    assert caplog.messages == []


def test_a_keeper_that_cannot_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    keeper = Keeper()
    shell = Shell(keeper)
    keeper.away = True
    SettingsRecord(shell, "hel", SETTINGS.to_json()).keep()
    with caplog.at_level(logging.WARNING):
        fire(shell)
    assert caplog.messages == ["this version of the settings is not kept: hel is not there"]


def test_where_nobody_tells_any_nothing_is_kept() -> None:
    shell = Shell(Keeper())
    SettingsRecord(shell, "hel", "").keep()
    assert fire(shell) == []
