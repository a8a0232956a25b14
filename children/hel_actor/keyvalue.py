"""Stored values: the table and what is done to it. Every function runs inside a transaction."""

import sqlite3

from loki.errors import InvalidArgument

SCHEMA = """
CREATE TABLE IF NOT EXISTS keyvalue (
    namespace TEXT NOT NULL,
    key BLOB NOT NULL,  -- UTF-8; as bytes, so that order and prefixes are exact.
    value BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
)
"""
MAX_KEY_BYTES = 1024
AFTER_ALL_UTF8 = b"\xff"


def checked_key(key: str) -> str:
    """Raises: InvalidArgument for a key that is empty or longer than 1024 bytes."""
    size_bytes = len(key.encode())
    if not 1 <= size_bytes <= MAX_KEY_BYTES:
        raise InvalidArgument(
            f"key has {size_bytes} bytes; 1 to {MAX_KEY_BYTES} are allowed",
            details={"field": "key"},
        )
    return key


def get(connection: sqlite3.Connection, namespace: str, key: str) -> bytes | None:
    found = connection.execute(
        "SELECT value FROM keyvalue WHERE namespace = ? AND key = ?", (namespace, key.encode())
    ).fetchone()
    return None if found is None else bytes(found[0])


def put(connection: sqlite3.Connection, namespace: str, key: str, value: bytes) -> None:
    connection.execute(
        "INSERT INTO keyvalue (namespace, key, value) VALUES (?, ?, ?) "
        "ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
        (namespace, key.encode(), value),
    )


def remove(connection: sqlite3.Connection, namespace: str, key: str) -> bool:
    """Whether there was such a key."""
    return (
        connection.execute(
            "DELETE FROM keyvalue WHERE namespace = ? AND key = ?", (namespace, key.encode())
        ).rowcount
        > 0
    )


def keys(connection: sqlite3.Connection, namespace: str, prefix: str = "") -> tuple[str, ...]:
    """In the order of their UTF-8 bytes."""
    start = prefix.encode()
    rows = connection.execute(
        "SELECT key FROM keyvalue WHERE namespace = ? AND key >= ? AND key < ? ORDER BY key",
        (namespace, start, start + AFTER_ALL_UTF8),
    )
    return tuple(row[0].decode() for row in rows)
