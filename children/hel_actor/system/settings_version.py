"""The settings that Loki ran with, by version. Every function runs inside a transaction."""

import sqlite3

from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.settings import SettingsListed, SettingsRead, SettingsVersion

MOST_VERSIONS = 100


def keep(connection: sqlite3.Connection, text: str, time_ns: int) -> SettingsVersion:
    """A new version where the newest one has another text; the newest one now."""
    newest = read(connection, 0)
    if isinstance(newest, SettingsRead) and newest.text == text:
        return newest.version
    number = newest.version.number + 1 if isinstance(newest, SettingsRead) else 1
    connection.execute("INSERT INTO settings_version VALUES (?, ?, ?)", (number, time_ns, text))
    connection.execute("DELETE FROM settings_version WHERE number <= ?", (number - MOST_VERSIONS,))
    return SettingsVersion(number=number, time_ns=time_ns)


def listed(connection: sqlite3.Connection) -> SettingsListed:
    rows = connection.execute("SELECT number, time_ns FROM settings_version ORDER BY number DESC")
    return SettingsListed(
        versions=tuple(SettingsVersion(number=number, time_ns=time_ns) for number, time_ns in rows)
    )


def read(connection: sqlite3.Connection, number: int) -> SettingsRead | Failure:
    """`number` 0 is the newest."""
    found = connection.execute(
        "SELECT number, time_ns, text FROM settings_version WHERE ?1 IN (0, number) "
        "ORDER BY number DESC LIMIT 1",
        (number,),
    ).fetchone()
    if found is None:
        return Failure(
            code=ErrorCode.NOT_FOUND,
            message=f"version {number} of the settings is not kept"
            if number
            else "no settings are kept yet",
        )
    return SettingsRead(
        version=SettingsVersion(number=found[0], time_ns=found[1]), text=str(found[2])
    )
