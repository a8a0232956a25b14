"""Several changes of stored values as one: all of them are made, or none."""

import sqlite3
from collections.abc import Sequence

from hel_actor.messages import BatchStored, StoredChange
from hel_actor.quota import usage
from hel_actor.value import keyvalue
from loki.errors import InvalidArgument, LokiError
from loki.messages.value import NIL

MAX_CHANGES = 1000
OPERATIONS = ("set", "remove", "cas", "increment")


def check(changes: Sequence[StoredChange], max_value_bytes: int) -> None:
    """Raises: InvalidArgument that names the change; ResourceLimitExceeded."""
    if len(changes) > MAX_CHANGES:
        raise InvalidArgument(
            f"there are {len(changes)} changes; {MAX_CHANGES} are allowed at once",
            details={"field": "changes"},
        )
    for number, change in enumerate(changes, start=1):
        keyvalue.checked_key(change.key)
        keyvalue.checked_value(change.value, max_value_bytes)
        if change.op not in OPERATIONS:
            raise _wrong(number, f"op is '{change.op[:40]}'; there are {', '.join(OPERATIONS)}")
        if change.op == "set" and change.value == NIL:
            raise _wrong(number, "a value is missing; op = 'remove' removes one")


def growth(changes: Sequence[StoredChange]) -> int:
    """The most bytes that they can add."""
    return sum(
        usage.of_value(each.key, max(each.value, keyvalue.LONGEST_NUMBER, key=len))
        for each in changes
        if each.op != "remove"
    )


def perform(
    connection: sqlite3.Connection, namespace: str, changes: Sequence[StoredChange]
) -> BatchStored | LokiError:
    """In order, so that a change sees those before it. Runs inside a transaction."""
    connection.execute("SAVEPOINT batch")
    for number, change in enumerate(changes, start=1):
        failure = _perform(connection, namespace, number, change)
        if failure is not None:
            connection.execute("ROLLBACK TO batch")
            connection.execute("RELEASE batch")
            return failure
    connection.execute("RELEASE batch")
    return BatchStored(done=True, failed=None)


def _perform(
    connection: sqlite3.Connection, namespace: str, number: int, change: StoredChange
) -> BatchStored | LokiError | None:
    """Why it could not be made, if so."""
    place = (namespace, change.key)
    match change.op:
        case "set":
            keyvalue.put(connection, *place, bytes(change.value))
        case "remove":
            keyvalue.remove(connection, *place)
        case "cas":
            swapped = keyvalue.compare_and_set(connection, *place, change.expected, change.value)
            if isinstance(swapped, LokiError):
                return swapped
            if not swapped:
                return BatchStored(done=False, failed=number)
        case "increment":
            total = keyvalue.add(connection, *place, change.by)
            if isinstance(total, LokiError):
                return total
            if isinstance(total, str):
                return _wrong(number, f"cannot add {change.by} to '{change.key[:64]}': {total}")
    return None


def _wrong(number: int, complaint: str) -> InvalidArgument:
    return InvalidArgument(f"change {number}: {complaint}", details={"field": "changes"})
