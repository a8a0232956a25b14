"""Counts anew what the database counts of itself, and puts right what is wrong.

The triggers of `usage` are right after every kill and rollback. A bug, or a person with another
program, may still leave a count that refuses every write to a script, or none; and a count that is
only ever added to stays wrong. So each opening of the file looks at what there really is.
"""

import sqlite3
from dataclasses import dataclass
from enum import Enum

from hel_actor.usage import KEY_BYTES, ROW_BYTES


class Counter(Enum):
    """What a count is of."""

    VALUES = "bytes of values"
    SERIES = "bytes of series"
    CHUNKS = "bytes of chunks"  # Of one series.
    WAITING = "rows that wait for their files"  # Of one series.


@dataclass(frozen=True, slots=True)
class Miscount:
    """What is counted, and what there is. `series` is "" where it is of a whole namespace."""

    namespace: str
    series: str
    counter: Counter
    counted: int
    found: int


_ROWS = "(SELECT count(*) FROM series_row AS r WHERE r.series = series.id)"
_CHUNKS = "(SELECT ifnull(sum(c.size_bytes), 0) FROM series_chunk AS c WHERE c.series = series.id)"
_VALUES = f"""
    (SELECT ifnull(sum(length(key) + length(value) + {KEY_BYTES}), 0) FROM keyvalue AS k
     WHERE k.namespace = usage.namespace)
"""  # noqa: S608  # Our own words.
_SERIES = f"""
    (SELECT ifnull(sum({_ROWS} * {ROW_BYTES} + {_CHUNKS}), 0) FROM series
     WHERE series.namespace = usage.namespace)
"""  # noqa: S608  # Our own words.
_ALL = """
    (SELECT namespace, keyvalue_bytes, series_bytes FROM usage
     UNION ALL
     SELECT namespace, 0, 0 FROM (SELECT namespace FROM keyvalue UNION SELECT namespace FROM series)
     WHERE namespace NOT IN (SELECT namespace FROM usage)) AS usage
"""
_LOOKS = (
    (Counter.VALUES, "namespace", "''", "keyvalue_bytes", _VALUES, _ALL),
    (Counter.SERIES, "namespace", "''", "series_bytes", _SERIES, _ALL),
    (Counter.CHUNKS, "namespace", "name", "size_bytes", _CHUNKS, "series"),
    (Counter.WAITING, "namespace", "name", "waiting", _ROWS, "series"),
)
# The triggers of the first change what the last sets, whatever they made of it.
_MEND = (
    f"UPDATE series SET size_bytes = {_CHUNKS}, waiting = {_ROWS}",  # noqa: S608  # Our own words.
    "INSERT OR IGNORE INTO usage (namespace) "
    "SELECT namespace FROM keyvalue UNION SELECT namespace FROM series",
    f"UPDATE usage SET keyvalue_bytes = {_VALUES}, series_bytes = {_SERIES}",  # noqa: S608  # As above.
)


def look(connection: sqlite3.Connection) -> tuple[Miscount, ...]:
    """Every count that is not what there is; of all of them in one transaction of the caller."""
    return tuple(
        Miscount(namespace, series, counter, counted, found)
        for counter, *words in _LOOKS
        for namespace, series, counted, found in connection.execute(_select(*words))
        if counted != found
    )


def _select(namespace: str, name: str, counted: str, found: str, table: str) -> str:
    return f"SELECT {namespace}, {name}, {counted}, {found} FROM {table} ORDER BY 1, 2"  # noqa: S608


def mend(connection: sqlite3.Connection) -> tuple[Miscount, ...]:
    """What was wrong and is right now. Outside of a transaction. Raises: sqlite3.Error."""
    wrong = look(connection)
    if wrong:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _MEND:
                connection.execute(statement)
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return wrong
