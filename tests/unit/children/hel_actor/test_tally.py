"""What the ledger knows of the database after commits, refusals and failures."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from hel_actor.database.database import Database
from hel_actor.quota.ledger import Ledger, Part
from hel_actor.quota.quota import Account
from hel_actor.schema import MIGRATIONS
from hel_actor.tally import Tally
from hel_actor.value import keyvalue
from hel_actor.value.watchers import Watchers

from loki.clock import FakeClock
from loki.errors import IoError, LokiError

LOG = logging.getLogger("test.tally")
TOOL = Account("tool", "'tool'", 1, "max_disk_mb")
ROW = 1 + 64


class World:
    """A database with its tally, and a thread that it shares with nobody."""

    def __init__(self, folder: Path, worker: ThreadPoolExecutor) -> None:
        self.ledger = Ledger()
        self.ledger.load(Part.FILES, {})
        self.tally = Tally(self.ledger, Watchers())
        self.path = folder / "hel.sqlite"
        self.database = Database(
            self.path, MIGRATIONS, worker, FakeClock(), LOG, witness=self.tally
        )

    def put(self, size_bytes: int, key: str = "k") -> "Future[LokiError | None]":
        def change(connection: sqlite3.Connection) -> None:
            keyvalue.put(connection, "tool", key, b"x" * size_bytes)

        return self.database.submit(self.tally.within(TOOL, len(key) + size_bytes + 64, change))


@pytest.fixture
def open_world(tmp_path: Path, worker: ThreadPoolExecutor) -> Iterator[Callable[[], World]]:
    worlds: list[World] = []

    def open_one() -> World:
        worlds.append(World(tmp_path, worker))
        return worlds[-1]

    yield open_one
    for world in worlds:
        world.database.close().result(20)


def test_the_ledger_has_what_is_committed_also_after_a_restart(
    open_world: Callable[[], World],
) -> None:
    world = open_world()
    assert world.put(1000).result(20) is None
    assert world.ledger.used_bytes("tool") == ROW + 1000
    world.database.close().result(20)
    again = open_world()
    again.database.submit(lambda _: None).result(20)
    assert again.ledger.used_bytes("tool") == ROW + 1000


def test_changes_that_share_a_commit_share_the_limit(
    open_world: Callable[[], World], worker: ThreadPoolExecutor
) -> None:
    world = open_world()
    world.put(1).result(20)
    held: Future[None] = Future()
    worker.submit(held.result, 20)
    sizes = [600_000, 600_000, 400_000]
    waiting = [world.put(size, f"{number}") for number, size in enumerate(sizes)]
    held.set_result(None)
    assert [each.result(20) is None for each in waiting] == [True, False, True]
    assert world.ledger.used_bytes("tool") == 3 * ROW + 1_000_001


def test_what_was_claimed_for_nothing_is_given_back(open_world: Callable[[], World]) -> None:
    world = open_world()
    world.put(10).result(20)
    unchanged = world.tally.within(TOOL, 500_000, lambda _: None)
    assert world.database.submit(unchanged).result(20) is None
    assert world.ledger.used_bytes("tool") == ROW + 10


def test_a_commit_that_fails_leaves_the_count_as_it_was(open_world: Callable[[], World]) -> None:
    world = open_world()
    world.put(1000).result(20)

    def grow_and_fail(connection: sqlite3.Connection) -> None:
        world.tally.within(
            TOOL, 10_064, lambda _: keyvalue.put(connection, "tool", "b", b"x" * 9999)
        )(connection)
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(IoError):
        world.database.submit(grow_and_fail).result(20)
    assert world.ledger.used_bytes("tool") == ROW + 1000


def test_changes_that_nobody_claimed_are_counted_as_well(open_world: Callable[[], World]) -> None:
    world = open_world()
    world.database.submit(lambda database: keyvalue.put(database, "tool", "k", b"12")).result(20)
    assert world.ledger.used_bytes("tool") == ROW + 2


def test_files_are_counted_where_the_database_cannot_be_opened(
    tmp_path: Path, worker: ThreadPoolExecutor
) -> None:
    (tmp_path / "in the way").touch()
    world = World(tmp_path / "in the way", worker)
    with pytest.raises(IoError):
        world.put(1).result(20)
    assert world.ledger.claim(TOOL, Part.FILES, 0, 1) is None


def test_a_new_file_has_nothing_of_the_old_one(open_world: Callable[[], World]) -> None:
    world = open_world()
    assert world.put(1000).result(20) is None
    world.path.unlink()
    with pytest.raises(IoError):
        world.put(1).result(20)
    assert world.put(1, "a").result(20) is None
    assert world.ledger.used_bytes("tool") == ROW + 1
