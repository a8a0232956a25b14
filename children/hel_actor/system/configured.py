"""What Loki's parts ask about versions of the settings, done by the database's thread."""

from collections.abc import Mapping
from concurrent.futures import Future

from hel_actor.database.database import Database
from hel_actor.system import settings_version
from loki.child import ServiceHandler
from loki.messages.envelope import Failure, Message
from loki.messages.settings import (
    KeepSettings,
    ListSettings,
    ReadSettings,
    SettingsKept,
    SettingsListed,
    SettingsRead,
)


class Configured:
    """What is answered is on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {KeepSettings: self._keep, ListSettings: self._list, ReadSettings: self._read}

    def _keep(self, request: KeepSettings) -> "Future[SettingsKept]":
        return self._database.submit(
            lambda database: SettingsKept(
                version=settings_version.keep(database, request.text, request.time_ns)
            )
        )

    def _list(self, _: ListSettings) -> "Future[SettingsListed]":
        return self._database.submit(settings_version.listed)

    def _read(self, request: ReadSettings) -> "Future[SettingsRead | Failure]":
        return self._database.submit(
            lambda database: settings_version.read(database, request.number)
        )
