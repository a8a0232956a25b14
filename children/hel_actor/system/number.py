"""Field numbers of the tools' parameters: the table, and what is done to it.

Every function runs inside a transaction. A row is never changed, and goes only with all others of a
service that no script has any more.
"""

import sqlite3

import msgspec

from loki.errors import ErrorCode
from loki.messages.envelope import Done, Failure
from loki.messages.field_number import (
    FieldNumber,
    ForgetNumbers,
    KeepNumbers,
    NumbersRead,
    ReadNumbers,
)
from loki.messages.script import ValueType

PAGE_BYTES = 512 * 1024
"""A message carries 8 MiB; but who reads a page has heartbeats to answer before the next."""

_pack = msgspec.msgpack.Encoder().encode


def keep(connection: sqlite3.Connection, new: KeepNumbers) -> Failure | None:
    """Give all of these, or none where one is given otherwise already."""
    rows = [(n.service, n.parameter, n.type.value, n.number) for n in new.numbers]
    connection.execute("SAVEPOINT field_number")
    connection.executemany(
        "INSERT INTO field_number (service, parameter, type, number) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        rows,
    )
    wrong = next((row for row in rows if not _is_there(connection, row)), None)
    if wrong is not None:
        connection.execute("ROLLBACK TO field_number")
    connection.execute("RELEASE field_number")
    return None if wrong is None else _conflict(wrong[0])


def _is_there(connection: sqlite3.Connection, row: tuple[str, str, str, int]) -> bool:
    found = connection.execute(
        "SELECT 1 FROM field_number "
        "WHERE service = ? AND parameter = ? AND type = ? AND number = ?",
        row,
    )
    return found.fetchone() is not None


def _conflict(service: str) -> Failure:
    return Failure(
        code=ErrorCode.REVISION_CONFLICT,
        message=f"field numbers of {service} were given by somebody else; read them again first",
        details={"service": service},
    )


def forget(connection: sqlite3.Connection, gone: ForgetNumbers) -> Done:
    connection.executemany(
        "DELETE FROM field_number WHERE service = ?", ((service,) for service in gone.services)
    )
    return Done()


def read_page(
    connection: sqlite3.Connection, after: ReadNumbers, most_bytes: int = PAGE_BYTES
) -> NumbersRead:
    """Those that follow, by service and number: at least one, if there is any."""
    numbers: list[FieldNumber] = []
    size = 0
    for service, name, type_, number in connection.execute(
        "SELECT service, parameter, type, number FROM field_number "
        "WHERE (service, number) > (?, ?) ORDER BY service, number",
        (after.service, after.number),
    ):
        each = FieldNumber(service=service, parameter=name, type=ValueType(type_), number=number)
        size += len(_pack(each))
        if numbers and size > most_bytes:
            return NumbersRead(numbers=tuple(numbers), more=True)
        numbers.append(each)
    return NumbersRead(numbers=tuple(numbers))
