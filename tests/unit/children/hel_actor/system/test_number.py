"""Field numbers in the real tables: given once, all of a batch or none."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.migration import MIGRATIONS, migrate
from hel_actor.system import number

from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.field_number import FieldNumber, KeepNumbers
from loki.messages.script import ValueType


@pytest.fixture
def tables() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened, MIGRATIONS)
        yield opened


def field(
    number: int, parameter: str = "a", service: str = "Tool", type_: ValueType = ValueType.STRING
) -> FieldNumber:
    return FieldNumber(service=service, parameter=parameter, type=type_, number=number)


def keep(tables: sqlite3.Connection, *numbers: FieldNumber) -> Failure | None:
    return number.keep(tables, KeepNumbers(numbers=numbers))


def read(tables: sqlite3.Connection, most: int = 100) -> list[tuple[FieldNumber, ...]]:
    pages, page = [], ""
    while True:
        found = number.read_all(tables, page, most)
        pages.append(found.numbers)
        page = found.next_page
        if not page:
            return pages


def test_what_is_kept_is_read(tables: sqlite3.Connection) -> None:
    given = (field(1), field(2, "b"), field(3, type_=ValueType.INTEGER), field(1, service="Two"))
    assert keep(tables, *given) is None
    assert keep(tables, *given) is None  # Nobody knows whether the first answer was heard.
    assert read(tables) == [given]


@pytest.mark.parametrize(
    "wrong",
    [field(2), field(1, "b"), field(1, type_=ValueType.BYTES)],
    ids=["another number", "another's number", "a number of another type"],
)
def test_what_is_given_otherwise_is_refused_with_all_that_came_along(
    tables: sqlite3.Connection, wrong: FieldNumber
) -> None:
    keep(tables, field(1))
    refused = keep(tables, field(7, "fresh"), wrong, field(8, "fresher"))
    assert isinstance(refused, Failure)
    assert refused.code is ErrorCode.REVISION_CONFLICT
    assert "Tool" in refused.message
    assert read(tables) == [(field(1),)]


def test_others_of_the_same_transaction_keep_theirs(tables: sqlite3.Connection) -> None:
    keep(tables, field(1))
    tables.execute("BEGIN IMMEDIATE")
    keep(tables, field(2, "b"))
    assert keep(tables, field(2, "c")) is not None
    keep(tables, field(3, "d"))
    tables.execute("COMMIT")
    assert read(tables) == [(field(1), field(2, "b"), field(3, "d"))]


def test_a_page_ends_between_services(tables: sqlite3.Connection) -> None:
    for service in "ABC":
        keep(tables, *(field(n, f"p{n}", service) for n in (1, 2, 3)))
    assert [[each.service for each in page] for page in read(tables, most=4)] == [
        ["A", "A", "A", "B", "B", "B"],
        ["C", "C", "C"],
    ]
    assert read(tables, most=100) == [tuple(each for page in read(tables, 1) for each in page)]
