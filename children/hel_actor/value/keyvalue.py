"""Stored values: the table and what is done to it. Every function runs inside a transaction.

What is damaged is an error that is given back, not raised: others share the transaction. It can be
replaced and removed as all else.
"""

import sqlite3

from hel_actor.value import damage
from loki.errors import InvalidArgument, LokiError, ResourceLimitExceeded
from loki.messages.value import INT64, NIL, Packed, ScriptValue, pack, unpack

MAX_KEY_BYTES = 1024
LONGEST_NUMBER = bytes(pack(INT64[0]))
MAX_KEYS = 5000
"""Of one reading."""
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


def checked_value(value: Packed, max_bytes: int) -> bytes:
    """The value's own bytes. Raises: ResourceLimitExceeded."""
    size_bytes = len(value)
    if size_bytes > max_bytes:
        raise ResourceLimitExceeded(
            f"the value takes {size_bytes} bytes and {max_bytes} are allowed; "
            "see max_value_kb under [children_config.hel]"
        )
    return bytes(value)


def packed(value: bytes | None) -> Packed:
    """What scripts see: nil for nothing."""
    return NIL if value is None else Packed(value)


def read(connection: sqlite3.Connection, namespace: str, key: str) -> Packed | LokiError:
    """What is stored as scripts see it."""
    stored = get(connection, namespace, key)
    why = "" if stored is None else damage.reason(stored)
    return damage.told_value(namespace, key, why) if why else packed(stored)


def get(connection: sqlite3.Connection, namespace: str, key: str) -> bytes | None:
    """The bytes that are stored, whatever they are."""
    found = connection.execute(
        "SELECT CAST(value AS BLOB) FROM keyvalue WHERE namespace = ? AND key = ?",
        (namespace, key.encode()),
    ).fetchone()
    return None if found is None else bytes(found[0])


def put(connection: sqlite3.Connection, namespace: str, key: str, value: bytes) -> None:
    connection.execute(
        "INSERT INTO keyvalue (namespace, key, value) VALUES (?, ?, ?) "
        "ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
        (namespace, key.encode(), value),
    )


def remove(connection: sqlite3.Connection, namespace: str, key: str) -> bool:
    """Whether there was such a key, or else a damaged one that is shown so."""
    if _remove(connection, namespace, key.encode()):
        return True
    damaged = damage.meant(key)
    return damaged is not None and _remove(connection, namespace, damaged)


def _remove(connection: sqlite3.Connection, namespace: str, key: bytes) -> bool:
    statement = "DELETE FROM keyvalue WHERE namespace = ? AND key = ?"
    return connection.execute(statement, (namespace, key)).rowcount > 0


def compare_and_set(
    connection: sqlite3.Connection, namespace: str, key: str, expected: Packed, value: Packed
) -> bool | LokiError:
    """Put `value` where the stored one equals `expected`, and say whether it did.

    NIL stands for nothing: none is stored, or what is there goes.
    """
    stored = read(connection, namespace, key)
    if isinstance(stored, LokiError):
        return stored
    if not same(stored, expected):
        return False
    if value == NIL:
        remove(connection, namespace, key)
    else:
        put(connection, namespace, key, bytes(value))
    return True


def add(connection: sqlite3.Connection, namespace: str, key: str, by: int) -> int | str | LokiError:
    """The stored integer, `by` larger than before; nothing stored is 0. Else: why it cannot be."""
    stored = read(connection, namespace, key)
    if isinstance(stored, LokiError):
        return stored
    number = 0 if stored == NIL else unpack(stored)
    if not isinstance(number, int) or isinstance(number, bool):
        return "what is stored there is no integer"
    total = number + by
    if total not in INT64:
        return f"{total} does not fit in 64 bits"
    put(connection, namespace, key, bytes(pack(total)))
    return total


def same(one: Packed, other: Packed) -> bool:
    """Equal in value and type: 1 is not 1.0, nor true; the order of keys says nothing."""
    return one == other or _alike(unpack(one), unpack(other))


def _alike(one: ScriptValue, other: ScriptValue) -> bool:
    match one, other:
        case list(), list():
            return len(one) == len(other) and all(map(_alike, one, other))
        case dict(), dict():
            return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
        case _:
            return type(one) is type(other) and one == other


def keys(
    connection: sqlite3.Connection,
    namespace: str,
    prefix: str = "",
    limit: int = MAX_KEYS,
    after: str = "",
) -> tuple[str, ...] | LokiError:
    """The first `limit` that begin with `prefix` and come after `after`.

    Sorted by their UTF-8 bytes.
    """
    start = prefix.encode()
    rows = connection.execute(
        "SELECT key FROM keyvalue WHERE namespace = ? AND key >= ? AND key < ? AND key > ? "
        "ORDER BY key LIMIT ?",
        (namespace, start, start + AFTER_ALL_UTF8, after.encode(), limit),
    )
    found = [key for (key,) in rows]
    damaged = next((key for key in found if damage.text_of(key) is None), None)
    if damaged is not None:
        return damage.told_key(namespace, damaged)
    return tuple(key.decode() for key in found)
