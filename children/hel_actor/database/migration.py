"""How an older database file gets newer tables.

A file says in `user_version` how many migrations it has had. One that has had all is opened as it
is, an older one gets the missing ones in one transaction, and one of a newer Loki is left alone.
A migration that was ever released is never changed: what is to be different goes into a new one.
"""

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

from loki.errors import IoError

Migration: TypeAlias = tuple[str, ...]
"""SQL statements, one each."""


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations a file has had."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def require_known(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> int:
    """The version of a file. Raises: IoError for one of a newer Loki."""
    version = version_of(connection)
    if version > len(migrations):
        raise IoError(
            f"the database was written by a newer Loki: it has schema {version}, and this version "
            f"knows {len(migrations)}; install that version again, or restore an older backup"
        )
    return version


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring a file forward, wholly or not at all.

    Raises: IoError for one of a newer Loki, which is not touched.
    """
    version = require_known(connection, migrations)
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
