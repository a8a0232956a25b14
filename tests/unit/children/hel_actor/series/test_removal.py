"""What the database knows of a series that is removed: nothing, but what is to be cleared."""

import sqlite3

import pytest
from hel_actor.quota import recount, usage
from hel_actor.series import downsampling, journal, removal
from hel_actor.series.downsampling import Wanted
from hel_actor.series.journal import Batch, Quota
from hel_actor.series.removal import Removed
from hel_actor.series.series import Chunk

from loki.errors import ErrorCode, IoError

QUOTA = Quota(series=3, chunk_rows=4)
TABLES = ("series_row", "series_sequence", "series_chunk", "series_attributes")


def fill(db: sqlite3.Connection, name: str = "t", rows: int = 10) -> journal.Series:
    """A series with a chunk of four rows, and the others waiting."""
    for n in range(rows):
        journal.append(db, "tool", name, Batch([(n, 0.5, 0)], sequence=n), QUOTA)
    journal.describe(db, "tool", name, '{"unit": "m"}', QUOTA)
    known = journal.find(db, "tool", name)
    assert known is not None
    journal.commit(db, known, (Chunk(0, 0, 3, 500),), (3, 3), rows - 1)
    return known


def left(db: sqlite3.Connection, series: int) -> list[int]:
    return [
        db.execute(f"SELECT count(*) FROM {table} WHERE series = ?", (series,)).fetchone()[
            0
        ]  # Our own names.
        for table in TABLES
    ]


def test_a_series_goes_with_all_that_it_counts_at_once(db: sqlite3.Connection) -> None:
    other = fill(db, "other")
    before = usage.of(db, "tool").size_bytes
    known = fill(db)
    gone = removal.remove(db, "tool", "t")
    assert gone == (Removed(known.id, "tool", "t", known.mark, has_files=True), 10)
    assert journal.find(db, "tool", "t") is None
    assert journal.names(db, "tool") == ("other",)
    assert usage.of(db, "tool").size_bytes == before
    assert recount.look(db) == ()
    assert left(db, other.id) == [6, 10, 1, 1]


def test_there_is_nothing_to_remove_where_there_is_none(db: sqlite3.Connection) -> None:
    fill(db)
    assert removal.remove(db, "tool", "x") is None
    assert removal.remove(db, "other", "t") is None
    assert removal.pending(db) == ()


def test_what_is_left_goes_in_parts_and_then_the_note(db: sqlite3.Connection) -> None:
    known, kept = fill(db, rows=10), fill(db, "kept")
    removal.remove(db, "tool", "t")
    before = usage.of(db, "tool")
    assert left(db, known.id) == [6, 10, 1, 0]
    parts = 0
    while removal.sweep(db, known.id, 3):
        parts += 1
    assert parts == 3
    assert left(db, known.id) == [0, 0, 0, 0]
    assert left(db, kept.id) == [6, 10, 1, 1]
    assert usage.of(db, "tool") == before
    (noted,) = removal.pending(db)
    assert removal.find(db, known.id) == noted
    assert removal.of_place(db, "tool", "t") == (noted,)
    assert removal.of_place(db, "tool", "kept") == ()
    removal.close(db, known.id)
    assert removal.pending(db) == ()
    assert removal.find(db, known.id) is None


def test_an_id_is_never_had_again(db: sqlite3.Connection) -> None:
    had = set()
    for _ in range(5):
        known = fill(db)
        assert known.id not in had
        had.add(known.id)
        removal.remove(db, "tool", "t")
        removal.close(db, known.id)
    (notes,) = db.execute("SELECT count(*) FROM series_removed").fetchone()
    assert notes == 1
    with pytest.raises(IoError) as gone:
        journal.by_id(db, max(had))
    assert gone.value.code is ErrorCode.NOT_FOUND


def test_rules_end_with_their_source_and_with_their_target(db: sqlite3.Connection) -> None:
    for source, into in (("a", "b"), ("b", "c")):
        downsampling.declare(db, "tool", source, Wanted(into, 10, "mean"), QUOTA)
    removal.remove(db, "tool", "b")
    assert downsampling.sources(db) == ()
    assert journal.names(db, "tool") == ("a", "c")
