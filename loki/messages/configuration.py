"""The settings while Loki runs: whoever asks for them, and the starter, which has them."""

from enum import Enum

import msgspec

from loki.messages.envelope import Change, Message, Request
from loki.messages.settings import SettingsKept


class SettingSource(Enum):
    """What gives a setting its value."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    OPTION = "option"  # Of the command line.


class SettingEffect(Enum):
    """When a changed setting holds."""

    NOW = "now"
    NEXT_RUN = "next_run"  # For executions that begin afterwards.
    RESTART = "restart"  # Of `loki serve`.


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One key. Values are JSON, without secrets."""

    key: str  # As in TOML: "queue.max_length".
    value: str
    source: SettingSource
    origin: str = ""  # File and line, the variable, or the option; "" of a default.
    effect: SettingEffect
    running: str = ""  # What holds until the next restart, where it differs; "" where it does not.


class SettingsDescribed(Message):
    version: int  # 0 where nobody keeps versions, or not now.
    file: str  # Where they come from; "" where no file was there.
    settings: tuple[Setting, ...]  # By key.
    problem: str = ""  # Why the file as it is now is not used; "" where it is.


class DescribeSettings(Request[SettingsDescribed]):
    """Gateway -> starter: the settings, and where each comes from."""


class SettingEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the settings' file."""

    key: str
    value: str | None  # JSON; None takes the key out of the file.


class SettingsEdited(Message):
    version: int  # As in SettingsDescribed.
    changed: tuple[Setting, ...]  # What differs from before, by key.


class ChangeSettings(Change[SettingsEdited]):
    """Gateway -> starter: change the settings' file, all of this or nothing.

    What is wrong with it is ARGUMENT_INVALID; what the file, or who asks, does not allow is
    CONFIGURATION; another version than the expected one is REVISION_CONFLICT.
    """

    edits: tuple[SettingEdit, ...]
    principal: str  # Who asks.
    expected_version: int = 0  # 0 expects none.
    validate_only: bool = False

    @property
    def once(self) -> bool:
        return not self.validate_only


class RecordSettings(Request[SettingsKept]):
    """Starter -> root: have the keeper keep this version of the settings."""

    keeper: str
    text: str  # TOML, without secrets.
