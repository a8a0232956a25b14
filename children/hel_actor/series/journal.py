"""Time series in SQLite: the rows that wait for their files, and what is known of the files.

Every function runs inside a transaction; none raises for what it may expect, because it shares
the transaction with others.
"""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from hel_actor.series import sequence
from hel_actor.series.row import GIVEN, LIMITED, LIMITS, SOUND, TIMED
from hel_actor.series.sequence import Memory
from hel_actor.series.series import MAX_NS, Chunk, Span, Stock, most_waiting
from loki.errors import ErrorCode, IoError, LokiError, ResourceLimitExceeded

Row = tuple[int, float, int]
"""Time in ns, value, quality."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series as the database knows it; its files hold chunks `dropped` to `chunks` - 1."""

    id: int
    namespace: str
    name: str
    mark: str
    chunk_rows: int
    waiting: int
    dropped: int
    chunks: int
    next_row: int
    sequences: int
    sequence_floor: int | None
    attributes: str | None  # An object as JSON.


@dataclass(frozen=True, slots=True)
class Appended:
    """How many rows are new, and how many waited before and wait now."""

    series: int
    rows: int
    before: int
    after: int
    chunk_rows: int
    due_ns: int | None = None
    """A row of this time or later completes a window of a coarser series; None without one."""
    done_ns: int | None = None
    """How far the one has come that has come farthest."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one call, in order; with a `sequence` they are appended once, however often sent."""

    rows: Sequence[Row]
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What one namespace may have, and how a new series is laid out."""

    series: int
    chunk_rows: int


_SELECT = (
    f"SELECT {', '.join(field.name for field in fields(Series))} "  # noqa: S608  # Our own names.
    "FROM series LEFT JOIN series_attributes ON series_attributes.series = series.id "
)


def find(connection: sqlite3.Connection, namespace: str, name: str) -> Series | None:
    found = connection.execute(
        _SELECT + "WHERE namespace = ? AND name = ?", (namespace, name)
    ).fetchone()
    return None if found is None else Series(*found)


def by_id(connection: sqlite3.Connection, series: int) -> Series:
    """Raises: IoError (NOT_FOUND) for one that was removed, which no rule of another knows."""
    found = connection.execute(_SELECT + "WHERE id = ?", (series,)).fetchone()
    if found is None:
        raise removed_meanwhile()
    return Series(*found)


def removed_meanwhile() -> IoError:
    return IoError("the series was removed meanwhile", code=ErrorCode.NOT_FOUND)


def describe(
    connection: sqlite3.Connection, namespace: str, name: str, attributes: str, quota: Quota
) -> Series | LokiError:
    """Replace the attributes of a series, which is made where there is none."""
    series = found_or_made(connection, namespace, name, quota)
    if isinstance(series, LokiError):
        return series
    connection.execute(
        "INSERT OR REPLACE INTO series_attributes VALUES (?, ?)", (series.id, attributes)
    )
    return series


def names(connection: sqlite3.Connection, namespace: str) -> tuple[str, ...]:
    """Sorted."""
    rows = connection.execute(
        "SELECT name FROM series WHERE namespace = ? ORDER BY name", (namespace,)
    )
    return tuple(row[0] for row in rows)


def ids(connection: sqlite3.Connection) -> tuple[int, ...]:
    """Of all series."""
    return tuple(row[0] for row in connection.execute("SELECT id FROM series ORDER BY id"))


def with_a_chunk(connection: sqlite3.Connection) -> tuple[int, ...]:
    """Series of which so many rows wait that they may become files."""
    return tuple(
        row[0] for row in connection.execute("SELECT id FROM series WHERE waiting >= chunk_rows")
    )


def append(
    connection: sqlite3.Connection, namespace: str, name: str, batch: Batch, quota: Quota
) -> Appended | LokiError:
    """Append rows to a series, which is made where there is none. An error changed nothing."""
    series = found_or_made(connection, namespace, name, quota)
    return series if isinstance(series, LokiError) else insert(connection, series, batch)


def insert(connection: sqlite3.Connection, series: Series, batch: Batch) -> Appended | LokiError:
    """Append rows to a series. An error changed nothing.

    What was appended before is answered however full the journal is: whoever sends it again must
    learn that it is there.
    """
    memory = Memory(series.id, series.sequences, series.sequence_floor)
    known = sequence.known(connection, memory, batch.sequence)
    if isinstance(known, LokiError):
        return known
    if not known and series.waiting + len(batch.rows) > most_waiting(series.chunk_rows):
        return ResourceLimitExceeded(
            f"'{series.name}' takes no more rows for now: {series.waiting} wait for their files, "
            "which cannot be written that fast, or not at all: then the log says why"
        )
    if not known and batch.sequence is not None:
        sequence.remember(connection, memory, batch.sequence)
    rows = () if known else batch.rows
    _insert(connection, series, rows)
    after = series.waiting + len(rows)
    coarser = _coarser(connection, series)
    return Appended(series.id, len(rows), series.waiting, after, series.chunk_rows, *coarser)


def found_or_made(
    connection: sqlite3.Connection, namespace: str, name: str, quota: Quota
) -> Series | LokiError:
    return find(connection, namespace, name) or _make(connection, namespace, name, quota)


def _coarser(connection: sqlite3.Connection, series: Series) -> tuple[int | None, int | None]:
    """When the first window of a coarser series is due, and how far the farthest has come."""
    due_ns, done_ns = connection.execute(
        "SELECT min(min(done_ns + every_ns), ?), max(done_ns) FROM series_downsampling "
        "WHERE source = ?",
        (MAX_NS, series.id),
    ).fetchone()
    return due_ns, done_ns


def _make(
    connection: sqlite3.Connection, namespace: str, name: str, quota: Quota
) -> Series | LokiError:
    (count,) = connection.execute(
        "SELECT count(*) FROM series WHERE namespace = ?", (namespace,)
    ).fetchone()
    if count >= quota.series:
        return ResourceLimitExceeded(
            f"'{name}' would be one series too many: {quota.series} are allowed for each script; "
            "see series_per_script under [children_config.hel]"
        )
    series = _next_id(connection)
    connection.execute(
        "INSERT INTO series (id, namespace, name, mark, chunk_rows) VALUES (?, ?, ?, ?, ?)",
        (series, namespace, name, secrets.token_hex(8), quota.chunk_rows),
    )
    return by_id(connection, series)


def _next_id(connection: sqlite3.Connection) -> int:
    """One that no series ever had: what is still done for a removed one is done to no other."""
    (series,) = connection.execute(
        "SELECT 1 + max(ifnull((SELECT max(id) FROM series), 0), "
        "ifnull((SELECT max(id) FROM series_removed), 0))"
    ).fetchone()
    return int(series)


def _insert(connection: sqlite3.Connection, series: Series, rows: Sequence[Row]) -> None:
    connection.executemany(
        "INSERT INTO series_row VALUES (?, ?, ?, ?, ?)",
        ((series.id, series.next_row + index, *row) for index, row in enumerate(rows)),
    )
    connection.execute(
        "UPDATE series SET next_row = next_row + ?, waiting = waiting + ? WHERE id = ?",
        (len(rows), len(rows), series.id),
    )


def chunks(connection: sqlite3.Connection, series: Series, within: Span) -> tuple[Chunk, ...]:
    """Those that may have a row in this span, by number; whose times are damaged may have any."""
    rows = connection.execute(
        f"SELECT {LIMITS} FROM series_chunk "  # noqa: S608  # As above.
        f"WHERE series = ? AND (newest_ns >= ? AND oldest_ns < ? OR NOT {LIMITED}) ORDER BY number",
        (series.id, within.start_ns, within.end_ns),
    )
    return tuple(Chunk(*row) for row in rows)


def stock(connection: sqlite3.Connection, series: Series, now_ns: int) -> Stock:
    """What the files of a series are together."""
    count, size_bytes = connection.execute(
        "SELECT count(*), coalesce(sum(size_bytes), 0) FROM series_chunk WHERE series = ?",
        (series.id,),
    ).fetchone()
    first = connection.execute(
        "SELECT newest_ns FROM series_chunk WHERE series = ? AND newest_ns <= ? "
        "ORDER BY number LIMIT 1",
        (series.id, now_ns),
    ).fetchone()
    return Stock(count, size_bytes, first[0] if first else None)


def waiting(
    connection: sqlite3.Connection,
    series: Series,
    within: Span,
    limit: int | None = None,
    *,
    newest: bool = False,
) -> Iterator[tuple[int, int, float | None, int]]:
    """(row, time in ns, value, quality) of the rows that wait, in the order of their times.

    With `limit` only the first ones; with `newest` the last ones, and the order is the reverse.
    One that is damaged has no value.
    """
    order = "time_ns DESC, row DESC" if newest else "time_ns, row"
    return connection.execute(
        f"SELECT {GIVEN} FROM series_row "  # noqa: S608  # Our own words.
        f"WHERE series = ? AND time_ns >= ? AND time_ns < ? ORDER BY {order} LIMIT ?",
        (series.id, within.start_ns, within.end_ns, -1 if limit is None else limit),
    )


def settled(connection: sqlite3.Connection, series: Series, window_ns: int) -> int:
    """How many of the sound rows that wait are older than the newest one by that, or more."""
    (count,) = connection.execute(
        f"SELECT count(*) FROM series_row WHERE series = ?1 AND {SOUND} AND time_ns <= "  # noqa: S608  # As above.
        f"(SELECT max(time_ns) FROM series_row WHERE series = ?1 AND {SOUND}) - ?2",
        (series.id, window_ns),
    ).fetchone()
    return int(count)


def oldest(
    connection: sqlite3.Connection, series: Series, count: int
) -> list[tuple[int, int, float, int]]:
    """The first ones of the sound rows that wait, as `waiting` has them."""
    return connection.execute(
        "SELECT row, time_ns, value, quality FROM series_row "  # noqa: S608  # As above.
        f"WHERE series = ? AND {SOUND} ORDER BY time_ns, row LIMIT ?",
        (series.id, count),
    ).fetchall()


def commit(
    connection: sqlite3.Connection,
    series: Series,
    written: Sequence[Chunk],
    last: tuple[int, int],
    newest_row: int,
) -> None:
    """The files hold these chunks now: the sound rows up to `last`, (time in ns, row), go.

    Of those only the rows up to `newest_row` were seen; others came while the files were written.
    """
    connection.executemany(
        "INSERT INTO series_chunk VALUES (?, ?, ?, ?, ?)",
        (
            (series.id, each.number, each.oldest_ns, each.newest_ns, each.size_bytes)
            for each in written
        ),
    )
    gone = connection.execute(
        "DELETE FROM series_row WHERE series = ? AND row <= ? "  # noqa: S608  # As above.
        f"AND (time_ns, row) <= (?, ?) AND {SOUND}",
        (series.id, newest_row, *last),
    ).rowcount
    if gone != len(written) * series.chunk_rows:
        raise RuntimeError(f"{gone} rows left the journal for {len(written)} chunks")
    connection.execute(
        "UPDATE series SET chunks = chunks + ?, waiting = waiting - ? WHERE id = ?",
        (len(written), gone, series.id),
    )


def drop(connection: sqlite3.Connection, series: Series, first: int) -> None:
    """Chunks before `first` are no more, whatever the files still hold."""
    connection.execute(
        "DELETE FROM series_chunk WHERE series = ? AND number < ?", (series.id, first)
    )
    connection.execute("UPDATE series SET dropped = ? WHERE id = ?", (first, series.id))


def trim(connection: sqlite3.Connection, series: Series, first: int, before_ns: int) -> int:
    """Chunks before `first` are no more, nor rows that wait from before that time: how many.

    Damaged rows that have no time any more go as well.
    """
    drop(connection, series, first)
    gone = connection.execute(
        "DELETE FROM series_row WHERE series = ? AND (time_ns < ? OR typeof(time_ns) <> 'integer')",
        (series.id, before_ns),
    ).rowcount
    connection.execute("UPDATE series SET waiting = waiting - ? WHERE id = ?", (gone, series.id))
    return gone


def oldest_waiting(connection: sqlite3.Connection, series: int) -> int | None:
    """The time of the oldest row that waits; None where none does."""
    (oldest_ns,) = connection.execute(
        f"SELECT min(time_ns) FROM series_row WHERE series = ? AND {TIMED}",  # noqa: S608  # As above.
        (series,),
    ).fetchone()
    return None if oldest_ns is None else int(oldest_ns)


def shed(connection: sqlite3.Connection, series: int, before_ns: int, most: int) -> int:
    """Up to `most` of the rows that wait from before that time are no more: how many."""
    gone = connection.execute(
        "DELETE FROM series_row WHERE series = ?1 AND row IN "
        "(SELECT row FROM series_row WHERE series = ?1 AND time_ns < ?2 LIMIT ?3)",
        (series, before_ns, most),
    ).rowcount
    connection.execute("UPDATE series SET waiting = waiting - ? WHERE id = ?", (gone, series))
    return gone
