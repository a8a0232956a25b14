"""Counts that are wrong at a start are right soon after it, whatever happens meanwhile."""

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hel_actor.auditor import Auditor
from hel_actor.database.database import Database
from hel_actor.quota import usage
from hel_actor.schema import MIGRATIONS
from hel_actor.turns import Turns
from hel_actor.value import keyvalue

from loki.clock import FakeClock
from loki.errors import IoError

LOG = logging.getLogger("test.auditor")
WRONG = "UPDATE usage SET keyvalue_bytes = 900000000"
TOLD = "900,000,000 bytes of values of tool were counted, and there were 67: put right"


class ByHand(Executor):
    """A thread whose work the test does."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()

    def submit(self, work: Callable[..., Any], /, *given: Any, **_: Any) -> "Future[Any]":
        self._waiting.append(lambda: work(*given))
        return Future()

    def work(self) -> None:
        self._waiting.popleft()()

    def work_all(self) -> None:
        while self._waiting:
            self.work()


class World:
    def __init__(self, path: Path, worker: ThreadPoolExecutor) -> None:
        self.path = path
        self.thread = ByHand()
        self.database = Database(path, MIGRATIONS, worker, FakeClock(), LOG)
        self.put("k")

    def put(self, key: str) -> None:
        self.database.submit(lambda c: keyvalue.put(c, "tool", key, b"12")).result(20)

    def spoil(self) -> None:
        self.database.submit(lambda connection: connection.execute(WRONG).rowcount).result(20)

    def begin(self) -> "Future[None]":
        return Auditor(self.database, Turns(self.thread), LOG).begin()

    @property
    def counted(self) -> int:
        return self.database.submit(lambda c: usage.of(c, "tool").size_bytes).result(20)


@pytest.fixture
def world(tmp_path: Path, worker: ThreadPoolExecutor) -> Iterator[World]:
    world = World(tmp_path / "hel.sqlite", worker)
    yield world
    world.database.close().result(20)


def test_what_is_wrong_is_put_right_and_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.spoil()
    audited = world.begin()
    world.thread.work()
    world.put("another")
    world.thread.work_all()
    assert audited.result(0) is None
    assert world.counted == 67 + 73
    assert [each.getMessage() for each in caplog.records] == [TOLD]


def test_what_is_right_is_not_written(world: World, caplog: pytest.LogCaptureFixture) -> None:
    log = world.path.with_name("hel.sqlite-wal")
    before = log.read_bytes()
    world.begin()
    world.thread.work_all()
    assert log.read_bytes() == before
    assert not caplog.records


def test_another_file_is_not_changed_by_what_was_wrong_with_this(world: World) -> None:
    world.spoil()
    world.begin()
    world.thread.work()
    world.path.unlink()
    with pytest.raises(IoError):
        world.put("k")
    world.put("k")
    world.thread.work_all()
    assert world.counted == 67


def test_a_count_that_cannot_be_put_right_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.spoil()
    audited = world.begin()
    world.thread.work()
    world.database.submit(lambda c: c.execute("PRAGMA query_only = ON").fetchall()).result(20)
    world.thread.work_all()
    assert audited.result(0) is None
    with pytest.raises(IoError):
        world.put("k")
    told = [each.getMessage() for each in caplog.records]
    assert any(each.startswith("counts of what is kept are wrong, and stay so") for each in told)


def test_a_database_that_cannot_be_read_is_told_of(
    tmp_path: Path, worker: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in the way").touch()
    database = Database(tmp_path / "in the way" / "d", MIGRATIONS, worker, FakeClock(), LOG)
    thread = ByHand()
    audited = Auditor(database, Turns(thread), LOG).begin()
    thread.work_all()
    assert audited.result(0) is None
    told = caplog.records[-1].getMessage()
    assert told.startswith("the counts of what is kept could not be looked at: ")


def test_what_could_not_be_looked_at_is_due_when_it_can(
    tmp_path: Path, worker: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "d").touch()
    clock, thread = FakeClock(), ByHand()
    database = Database(tmp_path / "d" / "hel.sqlite", MIGRATIONS, worker, clock, LOG)
    auditor = Auditor(database, Turns(thread), LOG)
    auditor.begin()
    thread.work_all()
    assert not auditor.is_due
    (tmp_path / "d").unlink()
    clock.advance(100)
    database.mend()
    database.submit(lambda _: None).result(20)
    assert auditor.is_due
    auditor.begin()
    thread.work_all()
    assert not auditor.is_due
    assert len([each for each in caplog.records if "looked at" in each.getMessage()]) == 1
    database.close().result(20)


def test_nothing_keeps_the_log_from_being_folded_afterwards(world: World) -> None:
    world.begin()
    world.thread.work_all()

    def fold(connection: sqlite3.Connection) -> object:
        connection.execute("COMMIT")
        (folded,) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute("BEGIN")
        return folded

    assert world.database.submit(fold).result(20) == (0, 0, 0)
