"""Doubles of each seam that fail at one operation, in the ways in which disks and processes end.

For the files of time series FailingDisk, for those of scripts FailingSyscalls, and for the database
FailingConnection. They share a Fuse, which counts; so one fuse can go through all of them.
"""

import errno
import os
import sqlite3
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from hel_actor.file.syscall import Kernel
from hel_actor.storage import Disk

T = TypeVar("T")

SQLITE_CODES = {errno.ENOSPC: sqlite3.SQLITE_FULL, errno.EIO: sqlite3.SQLITE_IOERR_WRITE}


class Failure(Enum):
    BEFORE = "nothing was done"
    HALF = "half of it was written"
    AFTER = "it was done, and the answer got lost"


class Fuse:
    """The `fails_at`-th operation (from 1) raises; later ones work again. 0: none does."""

    def __init__(
        self, fails_at: int, how: Failure = Failure.BEFORE, code: int = errno.ENOSPC
    ) -> None:
        self._fails_at = fails_at
        self._how = how
        self._code = code
        self.count = 0

    @property
    def fired(self) -> bool:
        return self.count >= self._fails_at

    def do(self, act: Callable[[], T], half: Callable[[], object] = lambda: None) -> T:
        self.count += 1
        if self.count != self._fails_at:
            return act()
        {Failure.BEFORE: lambda: None, Failure.HALF: half, Failure.AFTER: act}[self._how]()
        raise OSError(self._code, os.strerror(self._code))

    def execute(self, act: Callable[[], T]) -> T:
        """The same for a statement: SQLite's errors, and no halves."""
        try:
            return self.do(act)
        except OSError as error:
            failed = sqlite3.OperationalError(f"disk: {error.strerror}")
            failed.sqlite_errorcode = SQLITE_CODES.get(self._code, self._code)
            raise failed from error


class FailingDisk(Fuse):
    """The real disk, but for one operation, and with `free` bytes if that is set."""

    _disk = Disk()
    free: int | None = None

    def make_directory(self, path: Path) -> None:
        self.do(lambda: self._disk.make_directory(path))

    def write(self, path: Path, content: bytes) -> None:
        half = content[: len(content) // 2]
        self.do(lambda: self._disk.write(path, content), half=lambda: self._disk.write(path, half))

    def free_bytes(self, folder: Path) -> int:
        return self._disk.free_bytes(folder) if self.free is None else self.free

    def rename(self, path: Path, target: Path) -> None:
        self.do(lambda: self._disk.rename(path, target))

    def sync_file(self, path: Path) -> None:
        self.do(lambda: self._disk.sync_file(path))

    def sync_directory(self, path: Path) -> None:
        self.do(lambda: self._disk.sync_directory(path))

    def remove(self, path: Path) -> None:
        self.do(lambda: self._disk.remove(path))

    def link(self, path: Path, target: Path) -> None:
        self.do(lambda: self._disk.link(path, target))

    def exchange(self, path: Path, other: Path) -> None:
        self.do(lambda: self._disk.exchange(path, other))

    def remove_tree(self, path: Path) -> None:
        self.do(lambda: self._disk.remove_tree(path))


class FailingSyscalls(Fuse):
    """The real kernel, but for one operation."""

    _kernel = Kernel()

    def make_directory(self, parent: int, name: bytes) -> bool:
        return self.do(lambda: self._kernel.make_directory(parent, name))

    def create(self, parent: int, name: str) -> int:
        made: list[int] = []

        def create() -> int:
            made.append(self._kernel.create(parent, name))
            return made[0]

        try:
            return self.do(create)
        except OSError:
            for descriptor in made:
                os.close(descriptor)
            raise

    def write(self, descriptor: int, content: bytes) -> None:
        half = content[: len(content) // 2]
        self.do(
            lambda: self._kernel.write(descriptor, content),
            half=lambda: self._kernel.write(descriptor, half),
        )

    def sync(self, descriptor: int) -> None:
        self.do(lambda: self._kernel.sync(descriptor))

    def rename(
        self, parent: int, name: str | bytes, new_parent: int, new_name: str | bytes
    ) -> None:
        self.do(lambda: self._kernel.rename(parent, name, new_parent, new_name))

    def unlink(self, parent: int, name: str | bytes) -> None:
        self.do(lambda: self._kernel.unlink(parent, name))

    def remove_directory(self, parent: int, name: bytes) -> None:
        self.do(lambda: self._kernel.remove_directory(parent, name))

    def read(self, descriptor: int, most_bytes: int) -> bytes:
        return self.do(lambda: self._kernel.read(descriptor, most_bytes))

    def names(self, directory: int) -> list[str]:
        return self.do(lambda: self._kernel.names(directory))


class FailingConnection(sqlite3.Connection):
    """A real one, but for one statement; of COMMIT also the answer may be what gets lost."""

    fuse = Fuse(0)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return self.fuse.execute(lambda: super(FailingConnection, self).execute(sql, *parameters))

    def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return self.fuse.execute(
            lambda: super(FailingConnection, self).executemany(sql, *parameters)
        )

    def backup(self, target: sqlite3.Connection, **options: Any) -> None:
        self.fuse.execute(lambda: super(FailingConnection, self).backup(target, **options))


def connecting(fuse: Fuse) -> Callable[[Path], sqlite3.Connection]:
    """What opens a database whose statements go through `fuse`."""

    def connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, factory=FailingConnection)
        connection.fuse = fuse
        return connection

    return connect
