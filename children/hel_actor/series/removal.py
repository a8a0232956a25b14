"""What the database does when a series is removed.

Theory of operation: one small transaction takes the series out, with all that it counts for its
script's limit, and notes that its rows and files are still there. From then on nobody sees them:
either the whole series is there or none of it, whenever a kill comes, and whoever appends to that
name makes a new one. What is left goes by and by (see `remains`), after a kill with the next start,
and then the note. A series' id is never had again, so that who still works on one that was removed
finds none in place of another. What was made of it stays, as a series like any other; what it was
made of goes on without it.

Every function runs inside a transaction; none raises for what it may expect.
"""

import sqlite3
from dataclasses import dataclass

from hel_actor.series import journal

REMOVAL = (
    """
    CREATE TABLE series_removed (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        mark TEXT NOT NULL,
        has_files INTEGER NOT NULL,
        pending INTEGER NOT NULL DEFAULT 1  -- Whether something of it may be left.
    )
    """,
)
"""A migration: see hel_actor.schema."""

_TABLES = ("series_row", "row"), ("series_sequence", "sequence"), ("series_chunk", "number")


@dataclass(frozen=True, slots=True)
class Removed:
    """A series of which something may be left. `has_files` is whether it had chunks."""

    id: int
    namespace: str
    name: str
    mark: str
    has_files: bool


_SELECT = "SELECT id, namespace, name, mark, has_files FROM series_removed WHERE pending "


def remove(connection: sqlite3.Connection, namespace: str, name: str) -> tuple[Removed, int] | None:
    """Let a series be no more, and say how many rows it had; None where there is none."""
    known = journal.find(connection, namespace, name)
    if known is None:
        return None
    filed = known.chunks - known.dropped
    removed = Removed(known.id, namespace, name, known.mark, filed > 0)
    connection.execute(
        "INSERT INTO series_removed (id, namespace, name, mark, has_files) VALUES (?, ?, ?, ?, ?)",
        (removed.id, namespace, name, removed.mark, removed.has_files),
    )
    connection.execute("DELETE FROM series_downsampling WHERE ? IN (source, target)", (known.id,))
    connection.execute("DELETE FROM series_attributes WHERE series = ?", (known.id,))
    connection.execute("DELETE FROM series WHERE id = ?", (known.id,))
    return removed, filed * known.chunk_rows + known.waiting


def find(connection: sqlite3.Connection, series: int) -> Removed | None:
    """The removed series of that id, if something of it may be left."""
    found = connection.execute(_SELECT + "AND id = ?", (series,)).fetchone()
    return None if found is None else _removed(found)


def of_place(connection: sqlite3.Connection, namespace: str, name: str) -> tuple[Removed, ...]:
    """Those that had that name, and of which something may be left."""
    found = connection.execute(_SELECT + "AND namespace = ? AND name = ?", (namespace, name))
    return tuple(map(_removed, found))


def pending(connection: sqlite3.Connection) -> tuple[Removed, ...]:
    """All of which something may be left."""
    return tuple(map(_removed, connection.execute(_SELECT + "ORDER BY id")))


def sweep(connection: sqlite3.Connection, series: int, most: int) -> bool:
    """Let up to `most` of each kind of row go that are left; whether there may be more."""
    gone = [
        connection.execute(
            f"DELETE FROM {table} WHERE series = ?1 AND {key} IN "  # noqa: S608  # Our own names.
            f"(SELECT {key} FROM {table} WHERE series = ?1 LIMIT ?2)",
            (series, most),
        ).rowcount
        for table, key in _TABLES
    ]
    return max(gone) == most


def close(connection: sqlite3.Connection, series: int) -> None:
    """Nothing of it is left. Of the notes that are closed, that of the highest id stays."""
    connection.execute("UPDATE series_removed SET pending = 0 WHERE id = ?", (series,))
    connection.execute(
        "DELETE FROM series_removed WHERE NOT pending AND id < max("
        "ifnull((SELECT max(id) FROM series), 0), (SELECT max(id) FROM series_removed))"
    )


def _removed(row: tuple[int, str, str, str, int]) -> Removed:
    return Removed(*row[:4], has_files=bool(row[4]))
