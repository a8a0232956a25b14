"""The limits that tools set for themselves, as their last runs had them.

What follows from runs, such as rows of coarser series, goes on after a restart, when no run has
told the limit yet. Every function runs inside a transaction.
"""

import sqlite3

from hel_actor.quota.quota import Account

LIMITS = (
    """
    CREATE TABLE own_limit (
        namespace TEXT PRIMARY KEY,
        limit_mb INTEGER NOT NULL,
        raised_by TEXT NOT NULL
    ) WITHOUT ROWID
    """,
)
"""A migration: see hel_actor.schema."""


def keep(connection: sqlite3.Connection, account: Account) -> None:
    """Remember the limit of a namespace, or that it has none of its own."""
    connection.execute("DELETE FROM own_limit WHERE namespace = ?", (account.namespace,))
    if account.is_own:
        connection.execute(
            "INSERT INTO own_limit VALUES (?, ?, ?)",
            (account.namespace, account.limit_mb, account.raised_by),
        )


def kept(connection: sqlite3.Connection, namespace: str) -> Account | None:
    """That of a namespace; None where it has none of its own."""
    found = connection.execute(
        "SELECT limit_mb, raised_by FROM own_limit "
        "WHERE namespace = ? AND typeof(limit_mb) = 'integer'",
        (namespace,),
    ).fetchone()
    return None if found is None else Account(namespace, f"'{namespace}'", *found)
