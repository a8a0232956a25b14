"""Files of older and newer versions."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.migration import Migration, migrate, version_of
from hel_actor.schema import MIGRATIONS

from loki.errors import IoError

ONE: Migration = ("CREATE TABLE one (a INTEGER)",)
TWO: Migration = ("ALTER TABLE one ADD COLUMN b TEXT DEFAULT 'new'", "CREATE TABLE two (a INTEGER)")
BROKEN: Migration = ("CREATE TABLE three (a INTEGER)", "CREATE TABLE one (a INTEGER)")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def test_an_older_file_is_brought_forward_with_its_rows(connection: sqlite3.Connection) -> None:
    migrate(connection, (ONE,))
    connection.execute("INSERT INTO one VALUES (7)")
    migrate(connection, (ONE, TWO))
    assert version_of(connection) == 2
    assert connection.execute("SELECT * FROM one").fetchall() == [(7, "new")]


def test_what_has_all_is_left_as_it_is(connection: sqlite3.Connection) -> None:
    migrate(connection, (ONE,))
    changes = connection.total_changes
    migrate(connection, (ONE,))
    assert connection.total_changes == changes


def test_a_migration_that_fails_leaves_nothing_behind(connection: sqlite3.Connection) -> None:
    migrate(connection, (ONE,))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection, (ONE, TWO, BROKEN))
    assert (version_of(connection), tables(connection)) == (1, {"one"})


def test_a_file_of_a_newer_version_is_refused_and_kept(connection: sqlite3.Connection) -> None:
    migrate(connection, (ONE, TWO))
    with pytest.raises(IoError, match="newer Loki: it has schema 2, and this version knows 1"):
        migrate(connection, (ONE,))
    assert version_of(connection) == 2


def test_a_file_from_before_the_count_keeps_its_values(connection: sqlite3.Connection) -> None:
    connection.execute(MIGRATIONS[0][0])
    connection.execute("INSERT INTO keyvalue VALUES ('tool', x'61', x'01')")
    migrate(connection, MIGRATIONS)
    assert connection.execute("SELECT count(*) FROM keyvalue").fetchone() == (1,)
