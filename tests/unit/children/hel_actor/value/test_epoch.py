"""The revisions of two databases never fit together."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS
from hel_actor.value import epoch
from hel_actor.value.epoch import EPOCH, MOST, STEP

BEFORE = MIGRATIONS[: MIGRATIONS.index(EPOCH)]


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        yield opened


@pytest.mark.parametrize("before", [(), BEFORE])
def test_new_and_older_files_draw_one(
    database: sqlite3.Connection, before: tuple[tuple[str, ...], ...]
) -> None:
    migrate(database, before)
    migrate(database, MIGRATIONS)
    first = epoch.first_revision(database)
    assert first == epoch.first_revision(database)
    assert (first % STEP, 1 <= first // STEP <= MOST) == (0, True)


def test_each_restore_draws_another_one(database: sqlite3.Connection) -> None:
    migrate(database, MIGRATIONS)
    drawn = set()
    for _ in range(200):
        epoch.begin(database)
        drawn.add(epoch.first_revision(database))
    assert len(drawn) > 190
    assert min(drawn) >= STEP
    assert max(drawn) + STEP <= 2**53
    assert database.execute("SELECT count(*) FROM epoch").fetchone() == (1,)


def test_a_file_that_lost_its_own_counts_from_zero(database: sqlite3.Connection) -> None:
    migrate(database, MIGRATIONS)
    database.execute("DELETE FROM epoch")
    assert epoch.first_revision(database) == 0
