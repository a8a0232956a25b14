"""Hel's database: committing many changes at once, and what it does when the disk fails.

Whoever submits an operation gets a promise. One thread takes all operations that wait, performs
them in one transaction, commits, and only then keeps the promises: the fsync, which costs
milliseconds, is shared by all who wait for it, and what was acknowledged is on the disk.

After a failed fsync no change is taken, and reading goes on, until the whole file was copied to a
new one (see `sqlite_file`); that is tried again and again, at growing distances. A disk that takes
no changes, or a file that cannot be opened, fails single operations and is well again by itself;
meanwhile it is trouble (see `refusal`).
"""

import errno
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from hel_actor.database.acceptance import Acceptance
from hel_actor.database.migration import Migration
from hel_actor.database.operation import Failed, Operation, is_its_own, performed
from hel_actor.database.room import is_low, most_pages
from hel_actor.database.sqlite_file import Anew, Connect, SqliteFile, connect
from hel_actor.database.witness import Bystander, Witness
from hel_actor.refusal import code_of
from hel_actor.storage import Disk, Storage
from loki.child import Clock
from loki.errors import IoError, LokiError

T = TypeVar("T")

FAILED_FSYNC = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
REOPENED = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
"""A disk that was read-only, or away, may be back; what was opened meanwhile stays as it was."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


def pause_s(failures: int) -> float:
    """How long to wait after so many failed attempts, from 1, to be well again."""
    return min(FIRST_PAUSE_S * 2.0 ** (failures - 1), LONGEST_PAUSE_S)


class Database:
    """One SQLite file with one writer. `submit` may be called by any thread."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        worker: Executor,
        clock: Clock,
        log: logging.Logger,
        connect: Connect = connect,
        storage: Storage | None = None,
        witness: Witness | None = None,
        anew: Anew = lambda _: None,
    ) -> None:
        """`worker` must be one thread; the file is opened there, at once."""
        self._file = SqliteFile(path, migrations, clock, log, connect, storage or Disk(), anew)
        self._worker = worker
        self._clock = clock
        self._log = log
        self._witness = witness or Bystander()
        self._waiting: deque[Operation] = deque()
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()  # Of the reader; no other thread keeps it for long.
        self._low = False  # Whether the disk is nearly full.
        self._trusted = True  # Until an fsync fails.
        self._trouble = ""
        self._acceptance = Acceptance(self._file, clock, log)
        self._wrote = False  # Whether the last transaction did.
        self._failures = 0  # Of attempts to be well again, in a row.
        self._again_s = 0.0  # When to try next, on the monotonic clock.
        self.submit(lambda _: None)

    @property
    def trouble(self) -> str:
        """Why it takes no changes, or nothing at all; "" while it does. For any thread."""
        return self._trouble or self._acceptance.trouble

    def submit(self, perform: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Promise the result of `perform`, durable.

        The promise fails with IoError where SQLite or the disk refuses. `perform` itself must not
        raise for what it may expect: all who share its transaction are performed once more then.
        """
        operation = Operation(perform)
        self._waiting.append(operation)
        self._worker.submit(self._drain)
        return operation.promise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for one other thread, which holds up no change; for a moment.

        Raises: IoError; sqlite3.Error.
        """
        if self._reader is None:
            self._await_file()
        with self._reading:
            if self._reader is None:
                self._reader = self._file.reader()
            yield self._reader

    def another_reader(self) -> sqlite3.Connection:
        """A connection of the caller's own, for reading one state for long.

        Raises: IoError; sqlite3.Error.
        """
        self._await_file()
        return self._file.reader()

    def _await_file(self) -> None:
        """The other thread makes and checks it."""
        self.submit(lambda _: None).result()

    def mend(self) -> None:
        """Try to be well again, if it is time for that. To be called every now and then."""
        if self._trouble or self._acceptance.is_due:
            self._worker.submit(self._mend)

    def close(self) -> "Future[None]":
        """Fold the log into the file and let go of it; the promise says when."""
        return self._worker.submit(self._close)

    def _drain(self) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        batch = [each for each in batch if each.promise.set_running_or_notify_cancel()]
        if not self._trusted:
            for operation in batch:
                self._look(operation)
        elif batch:
            self._change(batch)

    def _change(self, batch: list[Operation], *, again: bool = True, apart: bool = False) -> None:
        """With `again`, a full disk is tried again; `apart` is after one of them has failed."""
        try:
            results = self._transact(batch, apart)
        except Exception as error:  # noqa: BLE001  # The promises carry it to the shell.
            self._witness.lost()
            if again and code_of(error) == sqlite3.SQLITE_FULL:
                self._change_each(batch)
            elif code_of(error) & 0xFF == sqlite3.SQLITE_READONLY:
                self._acceptance.failed(error, self._connection)
                for operation in batch:  # Some may change nothing.
                    self._look(operation)
            elif len(batch) > 1 and not apart and is_its_own(error):
                self._change(batch, again=again, apart=True)
            else:
                self._fail(batch, error)
        else:
            self._witness.kept()
            if self._wrote:
                self._acceptance.succeeded(self._connection)
            for operation, result in zip(batch, results, strict=True):
                if isinstance(result, Failed):
                    self._fail([operation], result.error)
                else:
                    operation.promise.set_result(result)

    def _change_each(self, batch: list[Operation]) -> None:
        """On a full disk the log makes room once; then what is small may fit, each by itself."""
        try:
            self._fold_log(self._opened())
        except (sqlite3.Error, OSError, LokiError) as error:
            self._fail(batch, error)
        else:
            for operation in batch:
                self._change([operation], again=False)

    def _fail(self, batch: list[Operation], error: Exception) -> None:
        failure = self._failure(error)
        for operation in batch:
            operation.promise.set_exception(failure)

    def _transact(self, batch: list[Operation], apart: bool) -> list[Any]:
        connection = self._opened()
        self._require_in_place()
        self._mind_room(connection)
        try:
            # SQLite does not wait for others where a transaction has read before it changes.
            connection.execute("BEGIN IMMEDIATE")
            before = connection.total_changes
            results = [performed(connection, each, apart=apart) for each in batch]
            self._wrote = connection.total_changes != before
            if self._wrote:
                self._witness.changed(connection)
            connection.execute("COMMIT")
        except Exception:
            self._undo(connection)
            raise
        self._require_in_place()
        if self._low:
            self._fold_after_commit(connection)
        return results

    def _require_in_place(self) -> None:
        """What is written into a file without its name is lost with the last who has it open."""
        if not self._file.in_place():
            self._close()
            reason = "its file was removed or replaced while it was open"
            raise FileNotFoundError(errno.ENOENT, reason)

    def _mind_room(self, connection: sqlite3.Connection) -> None:
        """See `room`."""
        free_bytes = self._file.free_bytes()
        low, before = is_low(free_bytes), self._low
        self._low = low
        if low or before:
            most = most_pages(*self._file.pages(connection), free_bytes)
            connection.execute(f"PRAGMA max_page_count = {most}")

    def _fold_after_commit(self, connection: sqlite3.Connection) -> None:
        """What was committed is on the disk, whatever happens here."""
        try:
            self._fold_log(connection)
        except sqlite3.Error as error:
            self._log.error("%s: %s", self._file.path, error)
            self._distrust(str(error))

    def _look(self, operation: Operation) -> None:
        """Answer what changes nothing."""
        try:
            connection = self._opened()
            try:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                result = operation.perform(connection)
            finally:
                self._undo(connection)
                self._witness.lost()
                if self._trusted and self._connection is not None:
                    connection.execute("PRAGMA query_only = OFF")
        except Exception as error:  # noqa: BLE001  # The promise carries it to the shell.
            is_change = code_of(error) & 0xFF == sqlite3.SQLITE_READONLY
            if is_change and self._trusted:
                self._close()  # The disk may be writable again by the next one.
            refused = IoError(f"no change is taken: {self.trouble}") if is_change else error
            operation.promise.set_exception(self._failure(refused))
        else:
            operation.promise.set_result(result)

    def _undo(self, connection: sqlite3.Connection) -> None:
        """A failed commit may leave the transaction open; some errors have ended it already."""
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        if connection.in_transaction:
            self._close()

    def _failure(self, error: Exception, *, small: bool = False) -> Exception:
        """What the callers are told; `small`, it was a change that needs no room."""
        if not isinstance(error, sqlite3.Error | OSError):
            return error
        reason = error.strerror if isinstance(error, OSError) else error
        if code_of(error) in FAILED_FSYNC:
            self._log.error("%s: %s", self._file.path, error)
            self._distrust(str(reason))
            return IoError("the disk failed to write, and the change may be lost; see loki status")
        if not self._trouble:  # Else the log has told of it.
            self._acceptance.failed(error, self._connection, small=small)
        if code_of(error) & 0xFF in REOPENED:
            self._close()
        return IoError(f"the store could not do this, and changed nothing: {reason}")

    def _probe(self) -> None:
        """Find out whether changes succeed, where none may come for long."""
        try:
            self._transact([Operation(self._file.probe)], apart=False)
        except (sqlite3.Error, OSError, LokiError) as error:
            self._witness.lost()
            self._failure(error, small=True)
        else:
            self._witness.kept()
            self._acceptance.succeeded(self._connection)

    def _distrust(self, reason: str) -> None:
        if not self._trusted:
            return
        self._trusted = False
        self._trouble = (
            f"the disk failed to write the database ({reason}); it can be read, and takes changes "
            "again when it could be copied to a new file, which is tried again and again"
        )
        self._pause()
        with suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.execute("PRAGMA query_only = ON")

    def _pause(self) -> None:
        self._failures += 1
        self._again_s = self._clock.monotonic_s() + pause_s(self._failures)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            began_s = self._clock.monotonic_s()
            try:
                self._connection = self._open()
            except (sqlite3.Error, OSError, LokiError) as error:
                self._cannot_open(error)
                raise
            took_s = self._clock.monotonic_s() - began_s
            self._log.info("%s was checked and opened in %.3f s", self._file.path.name, took_s)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = self._shown()
        if not self._trusted:
            connection.execute("PRAGMA query_only = ON")
            return connection
        try:
            self._fold_log(connection)
        except sqlite3.Error:
            connection.close()
            raise
        if self._trouble:
            self._well()
        self._acceptance.opened(connection)
        return connection

    def _shown(self) -> sqlite3.Connection:
        """The file opened, and the witness told of it."""
        connection = self._file.open()
        try:
            self._witness.opened(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _fold_log(self, connection: sqlite3.Connection) -> None:
        """All that is in it is written anew, also what the kernel may have dropped (see above)."""
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:  # On a full disk the log just stays.
            if code_of(error) in FAILED_FSYNC:
                raise

    def _cannot_open(self, error: Exception) -> None:
        trouble = f"the database cannot be opened: {error}"
        if self._trusted and trouble != self._trouble:
            self._trouble = trouble
            self._log.error("%s", trouble)
            self._pause()

    def _mend(self) -> None:
        if not self._trouble and self._acceptance.is_due:
            self._probe()
        if not self._trouble or self._clock.monotonic_s() < self._again_s:
            return
        try:
            connection = self._opened()
            if not self._trusted:
                self._move(connection)
        except (sqlite3.Error, OSError, LokiError) as error:
            self._pause()
            if not self._trusted:
                again_s = pause_s(self._failures)
                self._log.warning("%s: %s; again in %g s", self._file.path, error, again_s)

    def _move(self, connection: sqlite3.Connection) -> None:
        copy = self._file.copy(connection)
        self._close()
        self._file.replace_by(copy)
        self._connection = self._shown()
        self._well()

    def _well(self) -> None:
        self._log.info("the database is well again")
        self._trusted, self._trouble, self._failures = True, "", 0
        self._acceptance.forget()

    def _close(self) -> None:
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
