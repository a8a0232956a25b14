"""The db's own count, through every kind of change, and of older files."""

import sqlite3
from contextlib import closing

import pytest
from hel_actor.database.migration import migrate
from hel_actor.quota import usage
from hel_actor.quota.usage import USAGE, Usage
from hel_actor.schema import MIGRATIONS
from hel_actor.value import keyvalue

BEFORE = MIGRATIONS[: MIGRATIONS.index(USAGE)]


def test_keys_values_and_changes_are_counted(db: sqlite3.Connection) -> None:
    keyvalue.put(db, "tool", "kü", b"12345")
    assert usage.of(db, "tool") == Usage(3 + 5 + 64, 1)
    keyvalue.put(db, "tool", "kü", b"1")
    assert usage.of(db, "tool") == Usage(3 + 1 + 64, 2)
    keyvalue.put(db, "another", "k", b"")
    assert keyvalue.remove(db, "tool", "kü")
    assert not keyvalue.remove(db, "tool", "kü")
    assert usage.of_all(db) == {"tool": Usage(0, 3), "another": Usage(65, 1)}
    assert usage.of(db, "never") == Usage()


@pytest.mark.parametrize("first", ["series", "series_chunk"])
def test_a_series_that_goes_takes_all_its_bytes_along(db: sqlite3.Connection, first: str) -> None:
    db.execute("INSERT INTO series (namespace, name, mark, chunk_rows) VALUES ('a','b','',1)")
    db.execute("UPDATE series SET waiting = 7")
    db.execute("INSERT INTO series_chunk VALUES (1, 0, 0, 0, 1000)")
    db.execute("INSERT INTO series_chunk VALUES (1, 1, 0, 0, 500)")
    assert usage.of(db, "a").size_bytes == 7 * 32 + 1500
    db.execute("DELETE FROM series_chunk WHERE number = 0")
    db.execute("UPDATE series_chunk SET size_bytes = 400")
    assert usage.of(db, "a").size_bytes == 7 * 32 + 400
    for table in (first, "series_chunk", "series"):
        db.execute(f"DELETE FROM {table}")  # Our own names.
    assert usage.of(db, "a").size_bytes == 0


def test_what_is_rolled_back_was_never_counted(db: sqlite3.Connection) -> None:
    keyvalue.put(db, "tool", "k", b"1")
    db.execute("BEGIN")
    keyvalue.put(db, "tool", "k", b"12345")
    keyvalue.remove(db, "tool", "k")
    db.execute("ROLLBACK")
    assert usage.of(db, "tool") == Usage(1 + 1 + 64, 1)


def test_older_files_are_counted_once() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as older:
        migrate(older, BEFORE)
        for namespace in ("both", "values"):
            keyvalue.put(older, namespace, "k", b"123")
        older.execute(
            "INSERT INTO series (namespace, name, mark, chunk_rows, waiting) "
            "VALUES ('both', 't', '', 1, 2), ('both', 'u', '', 1, 1), ('series', 't', '', 1, 0)"
        )
        older.execute("INSERT INTO series_chunk VALUES (1, 0, 0, 0, 1000), (3, 0, 0, 0, 50)")
        migrate(older, MIGRATIONS)
        sizes = {name: each.size_bytes for name, each in usage.of_all(older).items()}
    assert sizes == {"both": 68 + 3 * 32 + 1000, "values": 68, "series": 50}
