"""Field numbers of the tools' parameters: the table, and what is done to it.

Every function runs inside a transaction. A row is never changed nor deleted.
"""

import sqlite3
from itertools import groupby

from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.field_number import FieldNumber, KeepNumbers, NumbersRead
from loki.messages.script import ValueType

PAGE_ROWS = 20_000  # A message carries 8 MiB, and a row about 160 bytes at most.
"""A page has no more rows than this, but for those of its last service."""


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


def read_all(connection: sqlite3.Connection, after: str, most: int = PAGE_ROWS) -> NumbersRead:
    """By service, those after `after`; the last service of a page is whole."""
    rows = connection.execute(
        "SELECT service, parameter, type, number FROM field_number "
        "WHERE service > ? ORDER BY service, number",
        (after,),
    )
    numbers: list[FieldNumber] = []
    for service, of_service in groupby(rows, key=lambda row: str(row[0])):
        if len(numbers) >= most:
            return NumbersRead(numbers=tuple(numbers), next_page=numbers[-1].service)
        numbers += [
            FieldNumber(service=service, parameter=name, type=ValueType(type_), number=number)
            for _, name, type_, number in of_service
        ]
    return NumbersRead(numbers=tuple(numbers))
