"""The starter's part in the settings: it has read them, and tells who asks what they are."""

from collections.abc import Callable, Mapping
from typing import Protocol

from loki.actors.role import Context, Handler, Shell
from loki.actors.settings_record import as_toml
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.configuration import DescribeSettings, RecordSettings, SettingsDescribed
from loki.messages.envelope import Message

ROOT = "loki"
RECORD_TIMEOUT_S = 2.0


class Configuration(Protocol):
    """The settings of one `loki serve`, and whoever can read them again."""

    @property
    def keeper(self) -> str:
        """The child that keeps their versions; "" where none does."""

    @property
    def record(self) -> str:
        """All of them as JSON, without secrets."""

    def describe(self, version: int) -> SettingsDescribed:
        """What holds, and where it comes from."""


class SettingsOwner:
    """Of one system. Methods belong to the starter's loop."""

    def __init__(
        self, shell: Shell, configuration: Configuration, is_family: Callable[[Context], bool]
    ) -> None:
        """`is_family` tells whether the kernel knows the sender as a child of the root."""
        self._shell = shell
        self._configuration = configuration
        self._is_family = is_family

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {DescribeSettings: self._describe}

    async def _describe(self, _request: DescribeSettings, context: Context) -> SettingsDescribed:
        self._require_family(context)
        return self._configuration.describe(await self._version())

    async def _version(self) -> int:
        """Of the settings as they are, which are kept by then; 0 where that cannot be."""
        keeper = self._configuration.keeper
        if not keeper:
            return 0
        record = RecordSettings(keeper=keeper, text=as_toml(self._configuration.record))
        try:
            kept = await self._shell.ask(ROOT, record, timeout_s=RECORD_TIMEOUT_S)
        except LokiError as error:
            self._shell.log.warning("this version of the settings is not kept: %s", error.message)
            return 0
        return kept.version.number

    def _require_family(self, context: Context) -> None:
        if not self._is_family(context):
            raise PermissionRefused(
                f"{context.peer} is no part of Loki that settings are told to", code=ErrorCode.ROLE
            )
