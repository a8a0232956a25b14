"""What a row that waits in the database has to be: a disk, or a person, may leave something else.

Such a row becomes part of no file, is given out to nobody, and holds up no other; it stays where it
is until it goes for its age.
"""

import sqlite3
from dataclasses import dataclass

from hel_actor.series.series import MAX_NS, MIN_NS

SOUND = (
    f"(typeof(row) = 'integer' AND typeof(time_ns) = 'integer' AND time_ns > {MIN_NS} "
    f"AND time_ns < {MAX_NS} AND typeof(value) = 'real' "
    "AND typeof(quality) = 'integer' AND quality BETWEEN 0 AND 255)"
)
"""Of SQL, in which NaN is NULL."""
TIMED = f"time_ns < {MAX_NS}"
"""Of SQL. What is no number comes after all numbers."""
GIVEN = f"row, time_ns, CASE WHEN {SOUND} THEN value END, CASE WHEN {SOUND} THEN quality ELSE 0 END"
"""Of SQL: columns of a row, whose value is NULL where it is damaged."""

LIMITED = "(typeof(oldest_ns) = 'integer' AND typeof(newest_ns) = 'integer')"
"""Of SQL: whether the times of a chunk are known."""
LIMITS = (
    f"number, CASE WHEN {LIMITED} THEN oldest_ns ELSE {MIN_NS + 1} END, "
    f"CASE WHEN {LIMITED} THEN newest_ns ELSE {MAX_NS - 1} END, CAST(size_bytes AS INTEGER)"
)
"""Of SQL: columns of a chunk, which may have rows of all times where its own are damaged."""


@dataclass(frozen=True, slots=True)
class Unsound:
    """How many rows of a series are damaged, and the time of the first, if it has one."""

    count: int
    time_ns: int | None


def unsound(connection: sqlite3.Connection, series: int) -> Unsound:
    count, time_ns = connection.execute(
        f"SELECT count(*), min(CASE typeof(time_ns) WHEN 'integer' THEN time_ns END) "  # noqa: S608  # Our own words.
        f"FROM series_row WHERE series = ? AND NOT {SOUND}",
        (series,),
    ).fetchone()
    return Unsound(count, time_ns)


def each_unsound(
    connection: sqlite3.Connection, series: int, most: int
) -> tuple[tuple[str, int | None], ...]:
    """The numbers of the first ones, and their times, if they have one."""
    rows = connection.execute(
        "SELECT CAST(row AS BLOB), CASE typeof(time_ns) WHEN 'integer' THEN time_ns END "  # noqa: S608  # As above.
        f"FROM series_row WHERE series = ? AND NOT {SOUND} LIMIT ?",
        (series, most),
    )
    return tuple((number.decode(errors="backslashreplace"), time_ns) for number, time_ns in rows)
