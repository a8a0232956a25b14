"""From which number the revisions of a database count, so that those of another one never fit.

Theory of operation. A revision counts the changes of a namespace. A database that was restored
counts again from where it was when the backup was made, and a new one from zero: both would soon
reach a number that somebody remembers, who would then believe to have missed nothing. So each of
them draws an epoch, which all its revisions have above their count. Chance keeps them apart, since
clocks of devices jump, and nobody else knows which epochs there were. It fails once in 2 million.
"""

import sqlite3

STEP = 2**32
"""Of two epochs. Ten changes every second need 13 years for it."""
MOST = 2**53 // STEP - 1
"""The last epoch: up to 2**53 a number is exact in Lua, JSON and JavaScript."""

# Not from zero, where the revisions of older files are.
_DRAW = f"INSERT INTO epoch VALUES (1 + abs(random() % {MOST}))"  # noqa: S608  # Our own number.

EPOCH = ("CREATE TABLE epoch (number INTEGER NOT NULL)", _DRAW)
"""A migration: see hel_actor.schema."""


def begin(connection: sqlite3.Connection) -> None:
    """Let the revisions of a restored database be none that were told before.

    Raises: sqlite3.Error.
    """
    connection.execute("DELETE FROM epoch")
    connection.execute(_DRAW)


def first_revision(connection: sqlite3.Connection) -> int:
    """That of a namespace that has seen no change."""
    (number,) = connection.execute("SELECT ifnull(max(number), 0) FROM epoch").fetchone()
    return int(number) * STEP
