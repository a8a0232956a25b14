"""Counts anew what the database counts of itself, and puts right what is wrong.

The triggers of `usage` are right after every kill and rollback. A bug, or a person with another
program, may still leave a count that refuses every write to a script, or none; and a count that is
only ever added to stays wrong. So each opening of the file looks at what there really is.
"""

import sqlite3
from collections import Counter as Counted
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from hel_actor.quota.usage import KEY_BYTES, ROW_BYTES


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
# The triggers of the first change what the last sets, whatever they made of it.
_MEND = (
    f"UPDATE series SET size_bytes = {_CHUNKS}, waiting = {_ROWS}",  # noqa: S608  # Our own words.
    "INSERT OR IGNORE INTO usage (namespace) "
    "SELECT namespace FROM keyvalue UNION SELECT namespace FROM series",
    f"UPDATE usage SET keyvalue_bytes = {_VALUES}, series_bytes = {_SERIES}",  # noqa: S608  # As above.
)


# In the order of the table: by the index each value would be looked up somewhere else in the file.
_ALL_VALUES = f"""
    SELECT namespace, sum(length(key) + length(value) + {KEY_BYTES})
    FROM keyvalue NOT INDEXED GROUP BY namespace
"""  # noqa: S608  # Our own words.
_ALL_ROWS = "SELECT series, count(*) FROM series_row GROUP BY series"
_ALL_CHUNKS = "SELECT series, sum(size_bytes) FROM series_chunk GROUP BY series"


def look(connection: sqlite3.Connection) -> tuple[Miscount, ...]:
    """Every count that is not what there is; of all of them in one transaction of the caller."""
    return tuple(each for each in _compared(connection) if each.counted != each.found)


def _compared(connection: sqlite3.Connection) -> Iterator[Miscount]:
    values = dict(connection.execute(_ALL_VALUES).fetchall())
    rows = dict(connection.execute(_ALL_ROWS).fetchall())
    chunks = dict(connection.execute(_ALL_CHUNKS).fetchall())
    kept: Counted[str] = Counted()
    known = connection.execute("SELECT id, namespace, name, size_bytes, waiting FROM series")
    for id_, namespace, name, size_bytes, waiting in known.fetchall():
        there, waits = chunks.get(id_, 0), rows.get(id_, 0)
        kept[namespace] += there + waits * ROW_BYTES
        yield Miscount(namespace, name, Counter.CHUNKS, size_bytes, there)
        yield Miscount(namespace, name, Counter.WAITING, waiting, waits)
    counted = connection.execute("SELECT namespace, keyvalue_bytes, series_bytes FROM usage")
    used = {namespace: sizes for namespace, *sizes in counted.fetchall()}
    for namespace in sorted({*used, *values, *kept}):
        of_values, of_series = used.get(namespace, (0, 0))
        yield Miscount(namespace, "", Counter.VALUES, of_values, values.get(namespace, 0))
        yield Miscount(namespace, "", Counter.SERIES, of_series, kept[namespace])


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
