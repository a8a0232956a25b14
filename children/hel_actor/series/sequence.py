"""Which appends to a series are done once only: those whose sequences are remembered.

Theory of operation: the `KEPT` highest sequences of a series are known for ever; those that are
forgotten are the lowest, and none is taken any more that is not above them. A series counts its own
in its row, in the transaction that notes them: so neither a kill nor a backup from which it was
restored lets it miss that there are twice as many, and no append looks through them but the one
that forgets a half.

Every function runs inside a transaction; none raises for what it may expect.
"""

import sqlite3
from dataclasses import dataclass

from loki.errors import InvalidArgument

KEPT = 4096

COUNT = (
    "ALTER TABLE series ADD COLUMN sequences INTEGER NOT NULL DEFAULT 0",
    "UPDATE series SET sequences = (SELECT count(*) FROM series_sequence WHERE series = id)",
)
"""A migration: see hel_actor.schema."""


@dataclass(frozen=True, slots=True)
class Memory:
    """How many sequences a series remembers, and up to which one it has forgotten all."""

    series: int
    count: int
    floor: int | None


def known(
    connection: sqlite3.Connection, memory: Memory, sequence: int | None
) -> bool | InvalidArgument:
    """Whether this sequence was there before. Changes nothing; `remember` does."""
    if sequence is None:
        return False
    if memory.floor is not None and sequence <= memory.floor:
        return InvalidArgument(
            f"sequence is {sequence}, too old to tell whether it was appended: of each series "
            f"at least the {KEPT} highest are remembered",
            details={"field": "sequence"},
        )
    found = connection.execute(
        "SELECT 1 FROM series_sequence WHERE series = ? AND sequence = ?",
        (memory.series, sequence),
    ).fetchone()
    return found is not None


def remember(connection: sqlite3.Connection, memory: Memory, sequence: int) -> None:
    """Let one that is not known be known from now on."""
    connection.execute("INSERT INTO series_sequence VALUES (?, ?)", (memory.series, sequence))
    connection.execute("UPDATE series SET sequences = sequences + 1 WHERE id = ?", (memory.series,))
    if memory.count >= 2 * KEPT:
        _forget(connection, memory.series)


def _forget(connection: sqlite3.Connection, series: int) -> None:
    """All but the highest ones."""
    connection.execute(
        "UPDATE series SET sequence_floor = (SELECT sequence FROM series_sequence "
        "WHERE series = id ORDER BY sequence DESC LIMIT 1 OFFSET ?) WHERE id = ?",
        (KEPT, series),
    )
    connection.execute(
        "DELETE FROM series_sequence WHERE series = ?1 AND sequence <= "
        "(SELECT sequence_floor FROM series WHERE id = ?1)",
        (series,),
    )
    connection.execute("UPDATE series SET sequences = ? WHERE id = ?", (KEPT, series))
