"""The starter's part in the settings: it has read them, tells of them, and changes their file."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Protocol

import msgspec
import tomlkit

from loki.actors.door.role import Context, Handler, Shell, Timer
from loki.actors.settings.watch import Rereadable, SettingsWatch
from loki.core.settings.guard import require_version
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.configuration import (
    ChangeSettings,
    DescribeSettings,
    RecordSettings,
    SettingsDescribed,
    SettingsEdited,
)
from loki.messages.envelope import Message
from loki.messages.lifecycle import ROOT

RECORD_TIMEOUT_S = 2.0
RETRY_S = 5.0


class Configuration(Rereadable, Protocol):
    """The settings of one `loki serve`, and whoever can read them again."""

    @property
    def keeper(self) -> str:
        """The child that keeps their versions; "" where none does."""

    @property
    def record(self) -> str:
        """All of them as JSON, without secrets."""

    def describe(self, version: int) -> SettingsDescribed:
        """What holds, and where it comes from."""

    def change(self, request: ChangeSettings) -> SettingsEdited:
        """Write what is asked for into the file, unless it is to be validated only.

        May block; for one thread at a time. Raises: LokiError, and nothing has changed.
        """


class SettingsOwner:
    """Of one system. Methods belong to the starter's loop."""

    def __init__(
        self, shell: Shell, configuration: Configuration, is_family: Callable[[Context], bool]
    ) -> None:
        """`is_family` tells whether the kernel knows the sender as a child of the root."""
        self._shell = shell
        self._configuration = configuration
        self._is_family = is_family
        self._watch: SettingsWatch | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._worker: Executor | None = None  # A thread, which is there when somebody needs it.
        self._changing = asyncio.Lock()
        self._keeping: Timer | None = None

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {DescribeSettings: self._describe, ChangeSettings: self._change}

    def begin(self) -> None:
        """To be called when the system is up: the file is watched from now on."""
        self._watch = SettingsWatch(self._shell, self._configuration, self._version)
        self._beginning = asyncio.create_task(self._begin(self._watch))
        self._shell.mind(self._beginning)

    async def _begin(self, watch: SettingsWatch) -> None:
        await self._version()
        await watch.begin()

    def close(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
        if self._keeping is not None:
            self._keeping.cancel()
        if self._watch is not None:
            self._watch.close()

    async def _describe(self, _request: DescribeSettings, context: Context) -> SettingsDescribed:
        self._require_family(context)
        return self._configuration.describe(await self._version())

    async def _change(self, request: ChangeSettings, context: Context) -> SettingsEdited:
        self._require_family(context)
        async with self._changing:
            if request.expected_version:
                require_version(request.expected_version, await self._version())
            self._worker = self._worker or self._shell.worker("settings")
            loop = asyncio.get_running_loop()
            edited = await loop.run_in_executor(self._worker, self._configuration.change, request)
            if edited.changed and not request.validate_only:
                keys = ", ".join(setting.key for setting in edited.changed)
                self._shell.log.warning("'%s' changed the settings: %s", request.principal, keys)
                edited = await self._taken(edited)
            return msgspec.structs.replace(edited, version=await self._version())

    async def _taken(self, edited: SettingsEdited) -> SettingsEdited:
        """What holds when the file was read; what is not there any more is told as expected."""
        if self._watch is not None:
            await self._watch.again()
        now = {setting.key: setting for setting in self._configuration.describe(0).settings}
        changed = tuple(now.get(setting.key, setting) for setting in edited.changed)
        return msgspec.structs.replace(edited, changed=changed)

    async def _version(self) -> int:
        """Of the settings as they are, which are kept by then; 0 where that cannot be."""
        keeper = self._configuration.keeper
        if not keeper:
            return 0
        record = RecordSettings(keeper=keeper, text=as_toml(self._configuration.record))
        try:
            kept = await self._shell.ask(ROOT, record, timeout_s=RECORD_TIMEOUT_S)
        except LokiError as error:
            self._keep_later(error)
            return 0
        return kept.version.number

    def _keep_later(self, error: LokiError) -> None:
        """A keeper that is away comes back, and what held meanwhile is kept then."""
        if self._keeping is not None:
            return
        level = logging.INFO if error.code is ErrorCode.CHILD_DOWN else logging.WARNING
        self._shell.log.log(level, "this version of the settings is not kept: %s", error.message)
        self._keeping = self._shell.later(RETRY_S, self._keep_again)

    def _keep_again(self) -> None:
        self._keeping = None
        self._shell.mind(asyncio.ensure_future(self._version()))

    def _require_family(self, context: Context) -> None:
        if not self._is_family(context):
            raise PermissionRefused(
                f"{context.peer} is no part of Loki that settings are told to", code=ErrorCode.ROLE
            )


def as_toml(settings: str) -> str:
    """As versions are kept; two that differ in nothing have one text. `settings` are JSON."""
    return tomlkit.dumps(json.loads(settings))
