"""A picture of all that Hel keeps, as it was at one moment, made while Hel works on.

Theory of operation. The database says which chunks of a series there are, and only the thread of
the series changes their files: it adds chunks, and forgets the oldest. So that thread is told to
forget nothing for a while, a read transaction begins, and each file of a series gets a second name,
some at a time (see `links`). No file is ever changed, only replaced: what the names hold stays as
it is, whatever checkpoints do next; what these add is taken out of the picture. Then the database
is copied at leisure: the transaction shows the moment at which it began, and holds up nobody who
writes. Files of scripts are copied, for the jail refuses those with a second name; each is read
whole, since they too are only replaced.
"""

import hashlib
import logging
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Event
from typing import Protocol, TypeVar

from hel_actor.backup.bundle import FORMAT, Entry, Ledger, Manifest
from hel_actor.backup.links import Links
from hel_actor.backup.path import FOLDER, GONE, created, make_folder, opened, walk
from hel_actor.database.migration import version_of
from hel_actor.database.sqlite_file import read_only
from hel_actor.series.place import places
from hel_actor.storage import Disk, Storage
from loki.child import Clock
from loki.errors import ErrorCode, IoError, ServiceUnavailable

T = TypeVar("T")

DATABASE, FILES, SERIES = "hel.sqlite", "files", "series"
STAGING = ".backup"
END = object()
PAGES = 256  # Copied between two looks at whether anybody still wants them.
SPARE_BYTES = 16 * 1024 * 1024
"""What is left free on the disk of the device, for all who write meanwhile."""


class Opened(Protocol):
    """Makes sure that there is a database, and says when."""

    def __call__(self) -> "Future[None]": ...


class Lender(Protocol):
    """Whose thread changes the files of series."""

    def alone(self, act: Callable[[], T], /) -> "Future[T]":
        """Do something in that thread."""

    def hold(self, held: bool, /) -> None:
        """While it is held, no chunk is forgotten. To be called in that thread."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What was taken: a folder that holds it, and the ledger of its files."""

    folder: Path
    ledger: Ledger
    manifest: Manifest

    def close(self) -> None:
        self.ledger.close()


class Photographer:
    """Takes one picture at a time, into a folder of its own beneath the state."""

    def __init__(
        self,
        state: Path,
        clock: Clock,
        log: logging.Logger,
        storage: Storage | None = None,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._state = state
        self._clock = clock
        self._log = log
        self._storage = storage or Disk()
        self._free_bytes = free_bytes

    @property
    def folder(self) -> Path:
        return self._state / STAGING

    def clear(self) -> None:
        """Remove the last picture, also one that a kill left behind. Raises: OSError."""
        self._storage.remove_tree(self.folder)

    def take(self, opened: Opened, lender: Lender, given_up: Event, version: str) -> Picture:
        """Raises: IoError, also without room; ServiceUnavailable when it is `given_up`."""
        try:
            self.clear()
            opened().result()
            self._require_files()
            self._require_room()
            self.folder.mkdir(mode=0o700)
            return self._take(lender, given_up, version)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise IoError(f"no backup could be made on the device: {reason}") from error

    def _take(self, lender: Lender, given_up: Event, version: str) -> Picture:
        time_ns = self._clock.now_ns()
        with closing(self._freeze(lender, given_up)) as source:
            schema = version_of(source)
            _copy_database(source, self.folder / DATABASE, given_up)
        self._copy_files(given_up)
        ledger = Ledger.beside(self.folder)
        try:
            for entry in self._entries(given_up):
                ledger.add(entry)
        except BaseException:
            ledger.close()
            raise
        manifest = Manifest(
            format=FORMAT,
            version=version,
            schema=schema,
            time_ns=time_ns,
            device=socket.gethostname(),
            entries=ledger.entries,
            size_bytes=ledger.size_bytes,
            sha256=ledger.sha256,
        )
        return Picture(self.folder, ledger, manifest)

    def _require_files(self) -> None:
        """A backup must not look whole that has none of them. Raises: IoError."""
        files = self._state / FILES
        if not os.path.lexists(files):
            return
        try:
            os.close(os.open(files, FOLDER))
        except OSError as error:
            raise IoError(
                "no backup is made: the files of scripts would be missing from it, as files/ of "
                f"the state directory cannot be read ({error.strerror}); see `loki doctor`"
            ) from error

    def _require_room(self) -> None:
        """Second names need next to none."""
        database = [self._state / f"{DATABASE}{suffix}" for suffix in ("", "-wal")]
        needed = sum(path.stat().st_size for path in database if path.exists())
        needed += sum(each.size_bytes for each in walk(self._state / FILES, _told_later))
        free = self._free_bytes(self._state)
        if free < needed + SPARE_BYTES:
            raise IoError(
                f"a backup needs {_mb(needed + SPARE_BYTES)} MB of free disk on the device for a "
                f"copy of its data; {_mb(free)} MB are free"
            )

    def _freeze(self, lender: Lender, given_up: Event) -> sqlite3.Connection:
        """What the database shows from now on, with the files that belong to it."""
        links, tidy = Links(self._storage, self._skipped), self._tidy_series
        source = read_only(self._state / DATABASE)

        def begin() -> Iterator[None]:
            lender.hold(True)
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return chain(links.of_all(self._state / SERIES, self.folder / SERIES), tidy(source))

        try:
            steps = lender.alone(begin).result()
            while lender.alone(lambda: next(steps, END)).result() is not END:
                _require_wanted(given_up)
        except BaseException:
            source.close()
            raise
        finally:
            lender.alone(lambda: lender.hold(False)).result()
        return source

    def _tidy_series(self, source: sqlite3.Connection) -> Iterator[None]:
        """Chunks that came while names were made are not in the picture's database: they go."""
        for place in places(source):
            from hel_actor.series.archive import Archive

            archive = Archive(self.folder / SERIES, self._storage)
            if archive.path(place).exists():
                archive.cut(place)
                yield

    def _copy_files(self, given_up: Event) -> None:
        """Each as it is now; one that a script removes meanwhile is not there."""
        target = self.folder / FILES
        target.mkdir(mode=0o700)
        for each in walk(self._state / FILES, self._skipped):
            _require_wanted(given_up)
            if each.is_folder:
                make_folder(target, each.path)
                continue
            with suppress(*GONE):
                _copy(self._state / FILES, target, each.path)

    def _entries(self, given_up: Event) -> Iterator[Entry]:
        yield _entry(self.folder, DATABASE)
        for top in (FILES, SERIES):
            for each in walk(self.folder / top, self._skipped):
                _require_wanted(given_up)
                path = f"{top}/{each.path}"
                yield Entry(path) if each.is_folder else _entry(self.folder, path)

    def _skipped(self, path: Path) -> None:
        self._log.warning("%r is left out of the backup: it is no file of Loki's", str(path))


def _told_later(_path: Path) -> None:
    """Where it is copied."""


def _copy_database(source: sqlite3.Connection, target: Path, given_up: Event) -> None:
    def look(_status: int, _left: int, _pages: int) -> None:
        _require_wanted(given_up)

    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # After a power cut nobody looks at it.
        source.backup(copy, pages=PAGES, progress=look)
        copy.execute("PRAGMA journal_mode = DELETE")  # It must be whole without a second file.
    target.chmod(0o600)


def _copy(source: Path, target: Path, path: str) -> None:
    """Also the time of its last change, which scripts can ask for."""
    descriptor = opened(source, path)
    with os.fdopen(descriptor, "rb") as file, os.fdopen(created(target, path), "wb") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()  # What is written later would change the time.
        status = os.fstat(descriptor)
        os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))


def _entry(folder: Path, path: str) -> Entry:
    with os.fdopen(opened(folder, path), "rb") as file:
        status = os.fstat(file.fileno())
        sum_ = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(path, status.st_size, sum_, status.st_mtime)


def _require_wanted(given_up: Event) -> None:
    if given_up.is_set():
        raise ServiceUnavailable("the backup was given up", code=ErrorCode.DRAINING)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f}"
