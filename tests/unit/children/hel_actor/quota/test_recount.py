"""Counts that are wrong: each of them is seen, and right afterwards."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.migration import migrate
from hel_actor.quota import usage
from hel_actor.quota.recount import Counter, Miscount, look, mend
from hel_actor.quota.usage import Usage
from hel_actor.schema import MIGRATIONS
from hel_actor.value import keyvalue

KEPT = {"both": Usage(68 + 2 * 32 + 1000, 1), "series": Usage(50, 0), "values": Usage(65, 1)}


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened, MIGRATIONS)
        keyvalue.put(opened, "both", "k", b"123")
        keyvalue.put(opened, "values", "k", b"")
        opened.execute(
            "INSERT INTO series (namespace, name, mark, chunk_rows, waiting) "
            "VALUES ('both', 't', '', 1, 2), ('series', 't', '', 1, 0)"
        )
        opened.execute("INSERT INTO series_row VALUES (1, 0, 0, 0.5, 0), (1, 1, 1, 0.5, 0)")
        opened.execute("INSERT INTO series_chunk VALUES (1, 0, 0, 0, 1000), (2, 0, 0, 0, 50)")
        yield opened


def test_what_is_right_stays(database: sqlite3.Connection) -> None:
    before = database.total_changes
    assert look(database) == ()
    assert database.total_changes == before
    assert usage.of_all(database) == KEPT


@pytest.mark.parametrize(
    ("damage", "miscounts"),
    [
        (
            "UPDATE usage SET keyvalue_bytes = 999999999 WHERE namespace = 'values'",
            [Miscount("values", "", Counter.VALUES, 999999999, 65)],
        ),
        (
            "UPDATE usage SET series_bytes = -7 WHERE namespace = 'series'",
            [Miscount("series", "", Counter.SERIES, -7, 50)],
        ),
        (
            "UPDATE series SET waiting = 100002 WHERE id = 1",
            [
                Miscount("both", "", Counter.SERIES, 100002 * 32 + 1000, 2 * 32 + 1000),
                Miscount("both", "t", Counter.WAITING, 100002, 2),
            ],
        ),
        (
            "UPDATE series SET size_bytes = 0 WHERE id = 2",
            [
                Miscount("series", "", Counter.SERIES, 0, 50),
                Miscount("series", "t", Counter.CHUNKS, 0, 50),
            ],
        ),
        (
            "DELETE FROM usage WHERE namespace = 'series'",
            [Miscount("series", "", Counter.SERIES, 0, 50)],
        ),
        (
            "INSERT INTO usage VALUES ('never', 5, 0, 3)",
            [Miscount("never", "", Counter.VALUES, 5, 0)],
        ),
    ],
)
def test_what_is_wrong_is_put_right(
    database: sqlite3.Connection, damage: str, miscounts: list[Miscount]
) -> None:
    database.execute(damage)
    assert set(look(database)) == set(miscounts)
    mend(database, look(database))
    assert look(database) == ()
    sizes = {name: each.size_bytes for name, each in usage.of_all(database).items()}
    right = {name: each.size_bytes for name, each in KEPT.items()}
    assert {name: size for name, size in sizes.items() if size} == right


def test_revisions_of_watched_values_do_not_go_back(database: sqlite3.Connection) -> None:
    database.execute("UPDATE usage SET keyvalue_bytes = 1, revision = 12")
    mend(database, look(database))
    assert usage.of(database, "values") == Usage(65, 12)


def test_values_are_all_looked_at_however_many_there_are(
    database: sqlite3.Connection,
) -> None:
    for number in range(50_000):
        keyvalue.put(database, f"n{number % 3}", f"{number}", b"12")
    keyvalue.remove(database, "n1", "1")
    assert look(database) == ()
    database.execute("UPDATE usage SET keyvalue_bytes = keyvalue_bytes + 1")
    assert len(look(database)) == 6


def test_what_changed_since_the_look_counts_as_well(database: sqlite3.Connection) -> None:
    database.execute("UPDATE usage SET keyvalue_bytes = 7, series_bytes = 7")
    database.execute("UPDATE series SET waiting = 100, size_bytes = 3")
    wrong = look(database)
    keyvalue.put(database, "values", "k", b"12345")
    keyvalue.put(database, "both", "another", b"1")
    database.execute("INSERT INTO series_chunk VALUES (1, 1, 0, 0, 500)")
    database.execute("DELETE FROM series WHERE id = 2")
    mend(database, wrong)
    assert look(database) == ()
