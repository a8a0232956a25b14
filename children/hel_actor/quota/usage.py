"""What each namespace keeps in the database, which counts it itself.

Triggers count, inside the transaction that changes something: so the count is right whoever changes
what, and after every rollback and kill. A key counts 64 bytes beside itself and its value, a row of
a series that waits for its files 32, and a chunk what its files take. `revision` is how many
changes of stored values a namespace has seen.
"""

import sqlite3
from dataclasses import dataclass

from loki.messages.value import Packed

KEY_BYTES = 64
ROW_BYTES = 32

# Of the figures, 64 and 32 are about what SQLite itself takes. `series.size_bytes` is there so that
# a series that goes takes all its bytes with it, whether or not its chunks went before.
USAGE = (
    """
    CREATE TABLE usage (
        namespace TEXT PRIMARY KEY,
        keyvalue_bytes INTEGER NOT NULL DEFAULT 0,
        series_bytes INTEGER NOT NULL DEFAULT 0,
        revision INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """,
    "ALTER TABLE series ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE series SET size_bytes = (
        SELECT ifnull(sum(size_bytes), 0) FROM series_chunk WHERE series = series.id
    )
    """,
    """
    INSERT INTO usage (namespace, keyvalue_bytes)
    SELECT namespace, sum(length(key) + length(value) + 64) FROM keyvalue GROUP BY namespace
    """,
    """
    INSERT INTO usage (namespace, series_bytes)
    SELECT namespace, sum(waiting * 32 + size_bytes) FROM series WHERE true GROUP BY namespace
    ON CONFLICT (namespace) DO UPDATE SET series_bytes = excluded.series_bytes
    """,
    """
    CREATE TRIGGER keyvalue_inserted AFTER INSERT ON keyvalue BEGIN
        INSERT INTO usage (namespace, keyvalue_bytes, revision)
        VALUES (NEW.namespace, length(NEW.key) + length(NEW.value) + 64, 1)
        ON CONFLICT (namespace) DO UPDATE SET
            keyvalue_bytes = keyvalue_bytes + excluded.keyvalue_bytes, revision = revision + 1;
    END
    """,
    """
    CREATE TRIGGER keyvalue_updated AFTER UPDATE OF value ON keyvalue BEGIN
        UPDATE usage SET
            keyvalue_bytes = keyvalue_bytes - length(OLD.value) + length(NEW.value),
            revision = revision + 1
        WHERE namespace = NEW.namespace;
    END
    """,
    """
    CREATE TRIGGER keyvalue_deleted AFTER DELETE ON keyvalue BEGIN
        UPDATE usage SET
            keyvalue_bytes = keyvalue_bytes - length(OLD.key) - length(OLD.value) - 64,
            revision = revision + 1
        WHERE namespace = OLD.namespace;
    END
    """,
    """
    CREATE TRIGGER series_inserted AFTER INSERT ON series BEGIN
        INSERT INTO usage (namespace, series_bytes)
        VALUES (NEW.namespace, NEW.waiting * 32 + NEW.size_bytes)
        ON CONFLICT (namespace) DO UPDATE SET series_bytes = series_bytes + excluded.series_bytes;
    END
    """,
    """
    CREATE TRIGGER series_updated AFTER UPDATE OF waiting, size_bytes ON series BEGIN
        UPDATE usage SET series_bytes = series_bytes
            + (NEW.waiting - OLD.waiting) * 32 + NEW.size_bytes - OLD.size_bytes
        WHERE namespace = NEW.namespace;
    END
    """,
    """
    CREATE TRIGGER series_deleted AFTER DELETE ON series BEGIN
        UPDATE usage SET series_bytes = series_bytes - OLD.waiting * 32 - OLD.size_bytes
        WHERE namespace = OLD.namespace;
    END
    """,
    """
    CREATE TRIGGER series_chunk_inserted AFTER INSERT ON series_chunk BEGIN
        UPDATE series SET size_bytes = size_bytes + NEW.size_bytes WHERE id = NEW.series;
    END
    """,
    """
    CREATE TRIGGER series_chunk_updated AFTER UPDATE OF size_bytes ON series_chunk BEGIN
        UPDATE series SET size_bytes = size_bytes - OLD.size_bytes + NEW.size_bytes
        WHERE id = NEW.series;
    END
    """,
    """
    CREATE TRIGGER series_chunk_deleted AFTER DELETE ON series_chunk BEGIN
        UPDATE series SET size_bytes = size_bytes - OLD.size_bytes WHERE id = OLD.series;
    END
    """,
)
"""A migration: see hel_actor.schema."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one namespace."""

    size_bytes: int = 0
    revision: int = 0


_SELECT = "SELECT namespace, keyvalue_bytes + series_bytes, revision FROM usage "
_TOUCHED = _SELECT + "WHERE namespace IN touched"

# Of one connection and of no file; what a rollback undoes was never noted either.
_TOUCHES = tuple(
    f"""
    CREATE TEMP TRIGGER touch_{event} AFTER {event} ON main.usage
    WHEN NEW.namespace NOT IN touched BEGIN
        INSERT INTO touched VALUES (NEW.namespace);
    END
    """  # noqa: S608  # Our own words.
    for event in ("INSERT", "UPDATE")
)


def note_touched(connection: sqlite3.Connection) -> None:
    """Note from now on which namespaces change. Outside of a transaction."""
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("CREATE TEMP TABLE touched (namespace TEXT PRIMARY KEY) WITHOUT ROWID")
    for statement in _TOUCHES:
        connection.execute(statement)


def take_touched(connection: sqlite3.Connection) -> dict[str, Usage]:
    """What the namespaces keep that changed, by namespace."""
    touched = _by_namespace(connection.execute(_TOUCHED))
    if touched:
        connection.execute("DELETE FROM touched")
    return touched


def of_value(key: str, value: Packed | bytes) -> int:
    """What a stored value counts."""
    return len(key.encode()) + len(value) + KEY_BYTES


def of(connection: sqlite3.Connection, namespace: str) -> Usage:
    found = connection.execute(_SELECT + "WHERE namespace = ?", (namespace,)).fetchone()
    return Usage() if found is None else Usage(*found[1:])


def of_all(connection: sqlite3.Connection) -> dict[str, Usage]:
    """By namespace."""
    return _by_namespace(connection.execute(_SELECT))


def _by_namespace(rows: sqlite3.Cursor) -> dict[str, Usage]:
    return {name: Usage(*found) for name, *found in rows}
