"""The tables: appends, repeats, quotas, and rows that leave for their files."""

import sqlite3

import pytest
from hel_actor.series import journal
from hel_actor.series.journal import Appended, Batch, Quota
from hel_actor.series.series import MAX_NS, MIN_NS, Chunk, Span, Stock

from loki.errors import ResourceLimitExceeded

ALL = Span(MIN_NS, MAX_NS)
QUOTA = Quota(series=2, chunk_rows=4)


def batch(*times: int, sequence: int | None = None) -> Batch:
    return Batch([(time, time / 2, 0) for time in times], sequence)


def append(
    db: sqlite3.Connection, *times: int, name: str = "t", sequence: int | None = None
) -> object:
    return journal.append(db, "tool", name, batch(*times, sequence=sequence), QUOTA)


def known(db: sqlite3.Connection, name: str = "t") -> journal.Series:
    found = journal.find(db, "tool", name)
    assert found is not None
    return found


def times(db: sqlite3.Connection, within: Span = ALL) -> list[int]:
    return [row[1] for row in journal.waiting(db, known(db), within)]


def test_rows_wait_in_the_order_of_their_times(db: sqlite3.Connection) -> None:
    assert append(db, 5, 1) == Appended(1, 2, 0, 2, 4)
    assert append(db, 3, 5) == Appended(1, 2, 2, 4, 4)
    assert list(journal.waiting(db, known(db), ALL)) == [
        (1, 1, 0.5, 0),
        (2, 3, 1.5, 0),
        (0, 5, 2.5, 0),
        (3, 5, 2.5, 0),
    ]
    assert times(db, Span(3, 5)) == [3]


def test_names_belong_to_a_namespace(db: sqlite3.Connection) -> None:
    append(db, 1, name="b")
    append(db, 1, name="a")
    journal.append(db, "other", "c", batch(1), QUOTA)
    assert journal.names(db, "tool") == ("a", "b")
    assert journal.find(db, "other", "a") is None
    assert known(db, "a").mark != known(db, "b").mark


def test_a_namespace_has_so_many_series(db: sqlite3.Connection) -> None:
    append(db, 1, name="a")
    append(db, 1, name="b")
    refused = append(db, 1, name="c")
    assert isinstance(refused, ResourceLimitExceeded)
    assert "series_per_script" in refused.message
    assert journal.names(db, "tool") == ("a", "b")
    assert isinstance(append(db, 2, name="a"), Appended)


def test_the_journal_does_not_grow_without_bound(db: sqlite3.Connection) -> None:
    assert isinstance(append(db, *range(100_000)), Appended)
    refused = append(db, 999, sequence=1)
    assert isinstance(refused, ResourceLimitExceeded)
    assert "100000 wait" in refused.message
    assert len(times(db)) == 100_000


@pytest.mark.parametrize(
    ("rows", "window", "count"),
    [
        ((), 1, 0),
        ((0, 1, 2, 3), 0, 4),
        ((0, 1, 2, 3, 4), 2, 3),
        ((4, 3, 2, 1, 0), 1, 4),
        ((0, 0, 0, 0, 9), 9, 4),
        ((0, 5), 100, 0),
    ],
)
def test_rows_are_settled_when_no_late_one_can_come_before(
    db: sqlite3.Connection, rows: tuple[int, ...], window: int, count: int
) -> None:
    append(db, *rows)
    append(db, 999, name="other")
    assert journal.settled(db, known(db), window) == count


def test_a_limit_takes_the_first_rows_or_the_last(db: sqlite3.Connection) -> None:
    append(db, 3, 1, 2, 2)
    rows = [list(journal.waiting(db, known(db), ALL, 3, newest=newest)) for newest in (False, True)]
    assert [[(row, time) for row, time, *_ in each] for each in rows] == [
        [(1, 1), (2, 2), (3, 2)],
        [(0, 3), (3, 2), (2, 2)],
    ]


def test_rows_that_are_in_files_leave(db: sqlite3.Connection) -> None:
    append(db, 10, 20, 30, 40, 50)
    seen = list(journal.waiting(db, known(db), ALL))
    append(db, 5, 40)  # They came while the files were written: one is older than what was.
    written = (Chunk(0, 10, 40),)
    journal.commit(db, known(db), written, (seen[3][1], seen[3][0]), seen[-1][0])
    assert times(db) == [5, 40, 50]
    assert journal.chunks(db, known(db), ALL) == written
    assert (known(db).waiting, known(db).chunks) == (3, 1)


def test_files_are_counted_together(db: sqlite3.Connection) -> None:
    append(db, 10, 20, 30, 40, 50, 60, 70, 80)
    assert journal.stock(db, known(db), 100) == Stock(0, 0, None)
    written = (Chunk(0, 10, 40, 7), Chunk(1, 50, 80, 5))
    journal.commit(db, known(db), written, (80, 7), 7)
    assert journal.stock(db, known(db), 100) == Stock(2, 12, 40)
    assert journal.stock(db, known(db), 79) == Stock(2, 12, 40)
    assert journal.stock(db, known(db), 39) == Stock(2, 12, None)
    journal.drop(db, known(db), 1)
    assert journal.stock(db, known(db), 100) == Stock(1, 5, 80)


def test_rows_never_leave_for_files_that_hold_others(db: sqlite3.Connection) -> None:
    append(db, 10, 20, 30, 40)
    with pytest.raises(RuntimeError, match="3 rows left"):
        journal.commit(db, known(db), (Chunk(0, 10, 40),), (30, 2), 3)


def test_attributes_are_replaced_and_make_a_series(db: sqlite3.Connection) -> None:
    for text in ('{"unit": "K"}', "{}"):
        assert isinstance(journal.describe(db, "tool", "t", text, QUOTA), journal.Series)
        assert known(db).attributes == text
    append(db, 1, name="b")
    assert known(db, "b").attributes is None
    refused = journal.describe(db, "tool", "c", "{}", QUOTA)
    assert isinstance(refused, ResourceLimitExceeded)


def test_chunks_that_are_dropped_are_forgotten(db: sqlite3.Connection) -> None:
    append(db, *range(12))
    written = tuple(Chunk(n, 4 * n, 4 * n + 3, 50) for n in range(3))
    journal.commit(db, known(db), written, (11, 11), 11)
    journal.drop(db, known(db), 2)
    assert journal.chunks(db, known(db), ALL) == written[2:]
    assert (known(db).dropped, known(db).chunks) == (2, 3)
