"""Whose fault it is that something failed, and what becomes of what was half done."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.operation import Failed, Operation, is_its_own, performed

from loki.errors import IoError


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("told by SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "its_own"),
    [
        (ValueError(), True),
        (RecursionError(), True),
        (IoError("refused"), True),
        (sqlite3.OperationalError("Could not decode to UTF-8 column"), True),
        (sqlite_error(sqlite3.SQLITE_CONSTRAINT_NOTNULL), True),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), True),
        (sqlite_error(sqlite3.SQLITE_ERROR), True),
        (OSError(5, "Input/output error"), False),
        (sqlite_error(sqlite3.SQLITE_FULL), False),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), False),
        (sqlite_error(sqlite3.SQLITE_IOERR_READ), False),
        (sqlite_error(sqlite3.SQLITE_READONLY), False),
        (sqlite_error(sqlite3.SQLITE_NOTADB), False),
    ],
)
def test_what_the_disk_does_is_nobodys_own_fault(error: Exception, its_own: bool) -> None:
    assert is_its_own(error) is its_own


@pytest.fixture
def table() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (n INTEGER)")
        connection.execute("BEGIN")
        yield connection


def inserting(number: int, error: Exception | None = None) -> Operation:
    def perform(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        if error is not None:
            raise error
        return number

    return Operation(perform)


def rows(table: sqlite3.Connection) -> list[int]:
    return [n for (n,) in table.execute("SELECT n FROM t")]


def test_apart_only_what_failed_is_undone(table: sqlite3.Connection) -> None:
    error = ValueError("no")
    assert performed(table, inserting(1), apart=True) == 1
    assert performed(table, inserting(2, error), apart=True) == Failed(error)
    assert performed(table, inserting(3), apart=True) == 3
    assert rows(table) == [1, 3]


def test_what_concerns_all_is_raised(table: sqlite3.Connection) -> None:
    with pytest.raises(OSError, match="lost"):
        performed(table, inserting(1, OSError(5, "lost")), apart=True)
    with pytest.raises(ValueError, match="no"):
        performed(table, inserting(2, ValueError("no")), apart=False)
