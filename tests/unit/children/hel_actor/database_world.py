"""A database whose clock the test moves, and whose disk it lets fail."""

import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hel_actor.database.database import LONGEST_PAUSE_S, Database
from hel_actor.schema import MIGRATIONS
from hel_actor.value import keyvalue

from loki.clock import FakeClock
from loki.errors import ErrorCode, IoError
from tests.unit.children.hel_actor.failing import FailingDisk

LOG = logging.getLogger("test.database")
EVERY = range(1, 10_000)


def put(key: str, value: bytes) -> Callable[[sqlite3.Connection], None]:
    return lambda connection: keyvalue.put(connection, "tool", key, value)


def get(key: str) -> Callable[[sqlite3.Connection], bytes | None]:
    return lambda connection: keyvalue.get(connection, "tool", key)


def add(connection: sqlite3.Connection) -> int | str:
    return keyvalue.add(connection, "tool", "n", 1)


class Bad(sqlite3.Connection):
    """Its next commits fail with the codes in `codes`; rolled back as SQLite would."""

    codes: list[int] = []

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.codes:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.codes.pop(0)
            raise error
        return super().execute(sql, *parameters)


class World:
    """A database whose clock the test moves, and whose commits it lets fail."""

    def __init__(self, path: Path, worker: ThreadPoolExecutor) -> None:
        self.path = path
        self.clock = FakeClock(now_ns=1_700_000_000_123_456_000)
        self.disk = FailingDisk(0)
        self._worker = worker
        self.database = self.open()

    def open(self, connect: Callable[[Path], sqlite3.Connection] | None = None) -> Database:
        opener = connect or (lambda path: sqlite3.connect(path, factory=Bad))
        return Database(
            self.path, MIGRATIONS, self._worker, self.clock, LOG, opener, storage=self.disk
        )

    def do(self, perform: Callable[[sqlite3.Connection], object]) -> object:
        return self.database.submit(perform).result(20)

    def mend(self, after_s: float = LONGEST_PAUSE_S) -> str:
        """Let time pass; what is wrong still."""
        self.clock.advance(after_s)
        self.database.mend()
        self._worker.submit(lambda: None).result(20)
        return self.database.trouble

    def fail_fsync(self) -> None:
        Bad.codes.append(sqlite3.SQLITE_IOERR_FSYNC)
        with pytest.raises(IoError, match="may be lost") as failed:
            self.do(put("k", b"new"))
        assert failed.value.code is ErrorCode.IO

    def close(self) -> None:
        self.database.close().result(20)


def stored(path: Path) -> dict[bytes, bytes]:
    """Read past the database."""
    with closing(sqlite3.connect(path)) as other:
        return dict(other.execute("SELECT key, value FROM keyvalue"))
