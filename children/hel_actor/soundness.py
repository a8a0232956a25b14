"""Whether a database file that nobody uses is one of Hel's, whole, and of a version we know."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from hel_actor.database.migration import migrate, version_of
from hel_actor.database.sqlite_file import legible, require_plain
from hel_actor.schema import MIGRATIONS
from hel_actor.value import epoch

T = TypeVar("T")


@contextmanager
def untrusted(path: Path, options: str) -> Iterator[sqlite3.Connection]:
    """A connection to a file from elsewhere. `options` are of SQLite's URI, such as "mode=ro".

    Raises: sqlite3.Error; NotPlain; OSError.
    """
    require_plain(path)
    uri = f"{path.absolute().as_uri()}?{options}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.text_factory = legible
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        yield connection


def bring_forward(path: Path) -> str:
    """Check all of a file, give it the newest tables and an epoch; what is wrong with it, or "".

    Raises: sqlite3.Error for what is no database at all.
    """
    with untrusted(path, "mode=rw") as connection:
        problem = _problem(connection)
        if problem:
            return problem
        migrate(connection, MIGRATIONS)
        if shape(connection) != shape():
            return "its tables are not those of Loki"
        epoch.begin(connection)
        connection.execute("PRAGMA journal_mode = DELETE")
    return ""


def _problem(connection: sqlite3.Connection) -> str:
    (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if answer != "ok":
        return f"its database is damaged ({answer})"
    version = version_of(connection)
    if version > len(MIGRATIONS):
        return (
            f"a newer Loki made it: its data has version {version}, and this Loki knows "
            f"{len(MIGRATIONS)}"
        )
    if strange := programs(connection) - _of_ours(version, programs):
        kind, name, _ = min(strange)
        return f"its database has a {kind} {name!a}, which no Loki makes"
    return ""


def programs(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """Kind, name and text of what would run whatever its author likes."""
    found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return frozenset(
        (kind, name, sql) for kind, name, sql in found if kind not in ("table", "index")
    )


def shape(connection: sqlite3.Connection | None = None) -> dict[str, tuple[str, ...]]:
    """Table -> its columns; without a connection, as they should be."""
    if connection is None:
        return _of_ours(len(MIGRATIONS), columns)
    return columns(connection)


def columns(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Table -> its columns, without SQLite's own tables."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: tuple(
            column
            for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
        )
        for (name,) in tables
        if not name.startswith("sqlite_")
    }


def _of_ours(version: int, look: Callable[[sqlite3.Connection], T]) -> T:
    """What a new file of that version shows."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, MIGRATIONS[:version])
        return look(fresh)
