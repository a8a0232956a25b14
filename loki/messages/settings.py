"""Library and keeper about the settings that Loki ran with, one version after the other."""

import msgspec

from loki.messages.envelope import Message, Request


class SettingsVersion(msgspec.Struct, frozen=True, kw_only=True):
    number: int  # From 1, one more for each version.
    time_ns: int  # Since when, on the wall clock.


class SettingsKept(Message):
    version: SettingsVersion  # The newest, which has that text.


class KeepSettings(Request[SettingsKept]):
    """Library -> keeper: these settings hold; a new version where they differ from the newest."""

    text: str  # TOML, without secrets.
    time_ns: int


class SettingsListed(Message):
    versions: tuple[SettingsVersion, ...]  # The newest first.


class ListSettings(Request[SettingsListed]):
    """Any part of Loki -> keeper: the versions that are kept."""


class SettingsRead(Message):
    version: SettingsVersion
    text: str


class ReadSettings(Request[SettingsRead]):
    """Any part of Loki -> keeper: NOT_FOUND where that version is not kept."""

    number: int = 0  # 0 is the newest.
