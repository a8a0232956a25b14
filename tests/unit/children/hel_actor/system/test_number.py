"""Field numbers in the real db: given once, all of a batch or none."""

import sqlite3

import msgspec
import pytest
from hel_actor.system import number

from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.field_number import FieldNumber, ForgetNumbers, KeepNumbers, ReadNumbers
from loki.messages.script import ValueType


def field(
    number: int, parameter: str = "a", service: str = "Tool", type_: ValueType = ValueType.STRING
) -> FieldNumber:
    return FieldNumber(service=service, parameter=parameter, type=type_, number=number)


def keep(db: sqlite3.Connection, *numbers: FieldNumber) -> Failure | None:
    return number.keep(db, KeepNumbers(numbers=numbers))


def read(db: sqlite3.Connection, most_bytes: int = 10_000) -> list[tuple[FieldNumber, ...]]:
    pages, after = [], ReadNumbers()
    while True:
        found = number.read_page(db, after, most_bytes)
        pages.append(found.numbers)
        if not found.more:
            return pages
        last = found.numbers[-1]
        after = ReadNumbers(service=last.service, number=last.number)


def test_what_is_kept_is_read(db: sqlite3.Connection) -> None:
    given = (field(1), field(2, "b"), field(3, type_=ValueType.INTEGER), field(1, service="Two"))
    assert keep(db, *given) is None
    assert keep(db, *given) is None  # Nobody knows whether the first answer was heard.
    assert read(db) == [given]


@pytest.mark.parametrize(
    "wrong",
    [field(2), field(1, "b"), field(1, type_=ValueType.BYTES)],
    ids=["another number", "another's number", "a number of another type"],
)
def test_what_is_given_otherwise_is_refused_with_all_that_came_along(
    db: sqlite3.Connection, wrong: FieldNumber
) -> None:
    keep(db, field(1))
    refused = keep(db, field(7, "fresh"), wrong, field(8, "fresher"))
    assert isinstance(refused, Failure)
    assert refused.code is ErrorCode.REVISION_CONFLICT
    assert "Tool" in refused.message
    assert read(db) == [(field(1),)]


def test_others_of_the_same_transaction_keep_theirs(db: sqlite3.Connection) -> None:
    keep(db, field(1))
    db.execute("BEGIN IMMEDIATE")
    keep(db, field(2, "b"))
    assert keep(db, field(2, "c")) is not None
    keep(db, field(3, "d"))
    db.execute("COMMIT")
    assert read(db) == [(field(1), field(2, "b"), field(3, "d"))]


def test_services_are_forgotten_whole_and_others_stay(db: sqlite3.Connection) -> None:
    for service in "ABC":
        keep(db, field(1, "p", service), field(2, "q", service))
    number.forget(db, ForgetNumbers(services=("A", "C", "unknown")))
    assert read(db) == [(field(1, "p", "B"), field(2, "q", "B"))]
    assert keep(db, field(1, "q", "A")) is None


def test_a_page_has_so_many_bytes_and_ends_anywhere(db: sqlite3.Connection) -> None:
    given = [field(n, f"p{n}", service) for service in "ABC" for n in (1, 2, 3)]
    keep(db, *reversed(given))
    (size,) = {len(msgspec.msgpack.encode(each)) for each in given}
    for most in range(1, 10 * size):
        pages = read(db, most)
        assert [each for page in pages for each in page] == given
        assert {len(page) for page in pages[:-1]} <= {max(most // size, 1)}


def test_a_number_of_several_bytes_is_in_its_place(db: sqlite3.Connection) -> None:
    given = tuple(field(n, f"p{n}") for n in (9, 10, 127, 128, 255, 256, 18_999, 70_000))
    keep(db, *given)
    assert read(db, 1) == [(each,) for each in given]
