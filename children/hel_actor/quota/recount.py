"""Counts anew what the database counts of itself, and puts right what is wrong.

The triggers of `usage` are right after every kill and rollback. A bug, or a person with another
program, may still leave a count that refuses every write to a script, or none; and a count that is
only ever added to stays wrong. So each start looks at what there really is, while it serves.
"""

import sqlite3
from collections import Counter as Counted
from collections.abc import Collection, Generator, Iterator, Mapping
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


BLOCK_ROWS = 20_000
"""Looked at in one step, some 20 ms."""

# In the order of the table: by the index each value would be looked up somewhere else in the file.
# Without its limit SQLite would sort whole values by their namespace.
_VALUES = f"""
    SELECT namespace, sum(size_bytes), max(id) FROM (
        SELECT rowid AS id, namespace, length(key) + length(value) + {KEY_BYTES} AS size_bytes
        FROM keyvalue NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT {BLOCK_ROWS}
    ) GROUP BY namespace
"""  # noqa: S608  # Our own numbers.
_ROWS = "SELECT series, count(*) FROM series_row GROUP BY series"
_CHUNKS = "SELECT series, sum(size_bytes) FROM series_chunk GROUP BY series"


def look(connection: sqlite3.Connection) -> tuple[Miscount, ...]:
    """Every count that is not what there is; of all of them in one transaction of the caller."""
    steps = looking(connection)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return tuple(end.value)


def looking(connection: sqlite3.Connection) -> Generator[None, None, tuple[Miscount, ...]]:
    """The same in steps, for a thread that has other things to do; in one transaction too."""
    values: Counted[str] = Counted()
    last = 0
    while block := connection.execute(_VALUES, (last,)).fetchall():
        for namespace, size_bytes, _ in block:
            values[namespace] += size_bytes
        last = max(id_ for *_, id_ in block)
        yield
    rows = dict(connection.execute(_ROWS).fetchall())
    yield
    chunks = dict(connection.execute(_CHUNKS).fetchall())
    yield
    compared = _compared(connection, values, rows, chunks)
    return tuple(each for each in compared if each.counted != each.found)


def _compared(
    connection: sqlite3.Connection,
    values: Mapping[str, int],
    rows: Mapping[int, int],
    chunks: Mapping[int, int],
) -> Iterator[Miscount]:
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


_WAITING = "(SELECT count(*) FROM series_row AS r WHERE r.series = series.id)"
_FILED = "(SELECT ifnull(sum(c.size_bytes), 0) FROM series_chunk AS c WHERE c.series = series.id)"
_OF_NAMESPACE = f"""
    (SELECT ifnull(sum(waiting * {ROW_BYTES} + size_bytes), 0) FROM series
     WHERE series.namespace = usage.namespace)
"""  # noqa: S608  # Our own words.


def mend(connection: sqlite3.Connection, wrong: Collection[Miscount]) -> None:
    """Put right what `look` has found, whatever was changed since.

    Of values, which may be many, what was off is added; few rows say what is true of series.
    Inside a transaction. Raises: sqlite3.Error.
    """
    of_series = {(each.namespace, each.series) for each in wrong if each.series}
    connection.executemany(
        f"UPDATE series SET size_bytes = {_FILED}, waiting = {_WAITING} "  # noqa: S608  # As above.
        "WHERE namespace = ? AND name = ?",
        of_series,
    )
    namespaces = {(each.namespace,) for each in wrong}
    connection.executemany("INSERT OR IGNORE INTO usage (namespace) VALUES (?)", namespaces)
    connection.executemany(
        f"UPDATE usage SET series_bytes = {_OF_NAMESPACE} WHERE namespace = ?",  # noqa: S608  # As above.
        namespaces,
    )
    connection.executemany(
        "UPDATE usage SET keyvalue_bytes = keyvalue_bytes + ? WHERE namespace = ?",
        [
            (each.found - each.counted, each.namespace)
            for each in wrong
            if each.counter is Counter.VALUES
        ],
    )
