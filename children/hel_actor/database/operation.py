"""One piece of work inside a transaction that many share, and what its failure means for them."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from hel_actor.refusal import code_of

ITS_OWN = frozenset(
    {
        0,  # Of Python's module, such as text that is not UTF-8.
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,  # The others may need other pages.
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
    }
)
"""Of SQLite's codes, those that say nothing about the disk or the file as a whole."""


@dataclass(slots=True)
class Operation:
    """Work inside a transaction, and the promise of its result."""

    perform: Callable[[sqlite3.Connection], Any]
    promise: "Future[Any]" = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Failed:
    """In place of the result of an operation that was undone alone."""

    error: Exception


def is_its_own(error: Exception) -> bool:
    """Whether an error is of one operation: the others of its transaction may well succeed."""
    if isinstance(error, sqlite3.Error):
        return code_of(error) & 0xFF in ITS_OWN
    return not isinstance(error, OSError)


def performed(connection: sqlite3.Connection, operation: Operation, *, apart: bool) -> Any:
    """What it gives. Raises whatever it raises; `apart`, what is its own is undone and given back.

    That costs more, and is for those who share a transaction with one that has failed.
    """
    if not apart:
        return operation.perform(connection)
    connection.execute("SAVEPOINT operation")
    try:
        result = operation.perform(connection)
    except Exception as error:
        if not is_its_own(error):
            raise
        connection.execute("ROLLBACK TO operation")  # With what it has begun inside of it.
        result = Failed(error)
    connection.execute("RELEASE operation")
    return result
