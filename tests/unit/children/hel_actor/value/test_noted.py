"""What is noted of changes, for those who watch stored values."""

import sqlite3

from hel_actor.quota import usage
from hel_actor.value import keyvalue, noted


def test_each_change_is_noted_in_order_and_none_that_was_undone(
    db: sqlite3.Connection,
) -> None:
    noted.prepare(db)
    keyvalue.put(db, "tool", "before", b"1")
    noted.begin(db)
    db.execute("BEGIN")
    keyvalue.put(db, "tool", "a", b"1")
    keyvalue.put(db, "tool", "a", b"2")
    keyvalue.remove(db, "tool", "before")
    db.execute("SAVEPOINT undone")
    keyvalue.put(db, "another", "b", b"1")
    db.execute("ROLLBACK TO undone")
    db.execute("COMMIT")
    changes = [("tool", "a", False), ("tool", "a", False), ("tool", "before", True)]
    assert noted.take(db) == changes
    assert noted.take(db) == []


def test_changes_of_damaged_keys_are_counted_and_not_told(db: sqlite3.Connection) -> None:
    noted.prepare(db)
    noted.begin(db)
    db.execute("INSERT INTO keyvalue VALUES ('tool', x'c341', x''), ('tool', x'c3', x'')")
    db.execute("INSERT INTO keyvalue VALUES ('tool', CAST(x'c3' AS TEXT), x'')")
    keyvalue.put(db, "tool", "k", b"1")
    assert noted.take(db) == [("tool", "k", False)]
    assert noted.take(db) == []
    assert usage.of(db, "tool").revision == 4
