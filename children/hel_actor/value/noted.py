"""Which stored values a connection changes, in memory, for those who watch them.

Nothing is noted before anybody watches. What a rollback undoes was never noted.
"""

import sqlite3

from hel_actor.value.damage import text_of

_NOTES = tuple(
    f"""
    CREATE TEMP TRIGGER IF NOT EXISTS note_{event} AFTER {event} ON main.keyvalue BEGIN
        INSERT INTO changed VALUES ({row}.namespace, {row}.key, {is_removed});
    END
    """  # noqa: S608  # Our own words.
    for event, row, is_removed in (("INSERT", "NEW", 0), ("UPDATE", "NEW", 0), ("DELETE", "OLD", 1))
)


def prepare(connection: sqlite3.Connection) -> None:
    """Outside of a transaction."""
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("CREATE TEMP TABLE changed (namespace TEXT, key BLOB, is_removed INTEGER)")


def begin(connection: sqlite3.Connection) -> None:
    """Note from now on."""
    for statement in _NOTES:
        connection.execute(statement)


def take(connection: sqlite3.Connection) -> list[tuple[str, str, bool]]:
    """(namespace, key, whether it was removed) of each change of stored values, in order.

    Those of damaged keys are left out. The revision counts them, so that who waits reads anew.
    """
    noted = connection.execute(
        "SELECT namespace, CAST(key AS BLOB), is_removed FROM changed ORDER BY rowid"
    ).fetchall()
    if noted:
        connection.execute("DELETE FROM changed")
    read = [(namespace, text_of(key), bool(is_removed)) for namespace, key, is_removed in noted]
    return [(namespace, key, removed) for namespace, key, removed in read if key is not None]
