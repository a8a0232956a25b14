"""Hel's SQLite file: opening it, also after the worst, and committing many changes at once.

Whoever submits an operation gets a promise. One thread takes all operations that wait, performs
them in one transaction, commits, and only then keeps the promises: the fsync, which costs
milliseconds, is shared by all who wait for it, and what was acknowledged is on the disk.
"""

import logging
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from hel_actor.migration import Migration, migrate
from loki.child import Clock
from loki.errors import IoError

T = TypeVar("T")

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
FAILED_FSYNC = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


@dataclass(slots=True)
class Operation:
    """Work inside a transaction, and the promise of its result."""

    perform: Callable[[sqlite3.Connection], Any]
    promise: "Future[Any]" = field(default_factory=Future)


class Database:
    """One SQLite file with one writer. `submit` may be called by any thread."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        worker: Executor,
        clock: Clock,
        log: logging.Logger,
        connect: Callable[[Path], sqlite3.Connection] = lambda path: sqlite3.connect(path),
    ) -> None:
        """`worker` must be one thread; the file is opened there, at once."""
        self._path = path
        self._migrations = migrations
        self._worker = worker
        self._clock = clock
        self._log = log
        self._connect = connect
        self._waiting: deque[Operation] = deque()
        self._connection: sqlite3.Connection | None = None
        self._fsync_failed = False
        self.submit(lambda _: None)

    def submit(self, perform: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Promise the result of `perform`, durable.

        The promise fails with IoError where SQLite or the disk refuses. `perform` itself must not
        raise for what it may expect: it shares its transaction with others.
        """
        operation = Operation(perform)
        self._waiting.append(operation)
        self._worker.submit(self._drain)
        return operation.promise

    def close(self) -> "Future[None]":
        """Fold the log into the file and let go of it; the promise says when."""
        return self._worker.submit(self._close)

    def _drain(self) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        batch = [each for each in batch if each.promise.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            results = self._transact(batch)
        except Exception as error:  # noqa: BLE001  # The promises carry it to the shell.
            failure = self._failure(error)
            for operation in batch:
                operation.promise.set_exception(failure)
        else:
            for operation, result in zip(batch, results, strict=True):
                operation.promise.set_result(result)

    def _transact(self, batch: list[Operation]) -> list[Any]:
        connection = self._opened()
        connection.execute("BEGIN")
        try:
            results = [operation.perform(connection) for operation in batch]
            connection.execute("COMMIT")
        except Exception:
            # A failed commit may leave the transaction open; some errors have ended it already.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return results

    def _failure(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error | OSError):
            return error
        self._log.error("%s: %s", self._path, error)
        # After a failed fsync the kernel may forget what it could not write, and report success
        # the next time. So nothing is acknowledged until a person has looked.
        self._fsync_failed |= _code(error) in FAILED_FSYNC
        if self._fsync_failed:
            return IoError("the disk failed to write; a restart shows whether the change was kept")
        reason = error.strerror if isinstance(error, OSError) else error
        return IoError(f"the store could not do this, and changed nothing: {reason}")

    def _opened(self) -> sqlite3.Connection:
        if self._fsync_failed:
            raise IoError("the store stopped when the disk failed to write: check it and restart")
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.exists() and (damage := self._damage()):
            aside = self._keep_aside()
            self._log.error("%s is damaged (%s): kept as %s", self._path, damage, aside.name)
        connection = self._connect(self._path)
        connection.isolation_level = None  # Transactions are ours to begin.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        try:
            migrate(connection, self._migrations)
        except Exception:
            connection.close()
            raise
        return connection

    def _damage(self) -> str:
        """What is wrong with the file, or "". Time grows with its size."""
        try:
            with closing(sqlite3.connect(self._path)) as connection:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            if _code(error) & 0xFF not in DAMAGED:
                raise
            return str(error)
        return "" if answer == "ok" else str(answer)

    def _keep_aside(self) -> Path:
        """The log goes first: left behind, it would be replayed into the new file."""
        now = datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC)
        aside = self._path.with_name(f"{self._path.name}.damaged-{now:%Y%m%dT%H%M%S.%fZ}")
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                os.rename(f"{self._path}{suffix}", f"{aside}{suffix}")
        return aside

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _code(error: Exception) -> int:
    """SQLite's extended result code; 0 where the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0))
