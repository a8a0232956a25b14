"""Hel's SQLite file on the disk: opening it, also after the worst, and moving to a fresh copy.

Theory of operation of the move. When an fsync fails, the kernel may take the pages that it could
not write for clean, and the next fsync then succeeds without them. So nothing that was written
before can be made sure of by trying again; only what is written anew can. The open connection
still sees exactly what was acknowledged (SQLite has rolled the failed transaction back), so that is
copied page by page into a new file, synced, checked by reading it back from the disk, and renamed
over the old one. Only then the old log goes. A crash at any point leaves the old file with its log,
the copy with the old log, which holds nothing but pages that the copy has too (that is why it is
copied page by page), or the copy alone: each has all that was acknowledged. Of the failed
transaction nobody was told that it was done, so it may be there or not.

What this cannot do: bring back what the device lost of older, synced pages. The check finds it
where it broke the file's structure; then the old file stays, and so does the trouble.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from hel_actor import plain_file
from hel_actor.database.migration import Migration, migrate, require_known, version_of
from hel_actor.database.room import is_low, most_pages
from hel_actor.refusal import ROOM_BYTES, code_of
from hel_actor.storage import Storage, clear, make_lasting
from loki.child import Clock
from loki.errors import IoError

Connect: TypeAlias = Callable[[Path], sqlite3.Connection]
"""How the file and its copy are opened; the seam between the database and the disk."""

Anew: TypeAlias = Callable[[str], None]
"""Told that a new file is about to be made; why the old one was put aside, or "" for none."""

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
LOGS = ("-wal", "-shm")
OPENED = ("", "-journal", *LOGS)
"""What SQLite opens of a file by itself."""


def legible(text: bytes) -> str:
    r"""Text of a file, whose damaged bytes are shown as \xff.

    So a name that a disk garbled is one that nobody has. An error would stop all who come by, such
    as who opens the file and counts what each script keeps.
    """
    return text.decode(errors="backslashreplace")


def connect(path: Path) -> sqlite3.Connection:
    """The real one."""
    return sqlite3.connect(path)


class SqliteFile:
    """One file and its log. Only one thread may call it, but for `reader`."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        clock: Clock,
        log: logging.Logger,
        opener: Connect,
        storage: Storage,
        anew: Anew,
    ) -> None:
        self.path = path
        self._name = str(path)  # Asked for with each transaction.
        self._migrations = migrations
        self._clock = clock
        self._log = log
        self._connect = opener
        self._storage = storage
        self._anew = anew
        self._status: os.stat_result | None = None

    def open(self) -> sqlite3.Connection:
        """With all its tables; a damaged file is kept aside, and a new one made.

        Raises: sqlite3.Error; OSError, also NotPlain: what a link led to is not given up for an
        empty database; IoError for a file of a newer Loki, which is not touched.
        """
        make_lasting(self.path.parent)
        require_plain(self.path)
        self._remove_copy()
        if self.path.exists():
            self._refuse_newer()
            if damage := self._damage(self.path):
                aside = self._keep_aside()
                self._log.error("%s is damaged (%s): kept as %s", self.path, damage, aside.name)
                self._anew(f"is damaged ({damage}) and was kept as {aside.name}")
        else:
            self._anew("")
        connection = self._connect(self.path)
        try:
            connection.isolation_level = None  # Transactions are ours to begin.
            connection.text_factory = legible
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection, self._migrations)
            self._status = self.path.stat()
        except Exception:
            connection.close()
            raise
        return connection

    def reader(self) -> sqlite3.Connection:
        """A second connection, which changes nothing, for any thread."""
        return read_only(self.path)

    def in_place(self) -> bool:
        """Whether the path still leads to the file that was opened last."""
        try:
            return self._status is not None and os.path.samestat(os.stat(self._name), self._status)
        except OSError:
            return False

    def free_bytes(self) -> int:
        """On its disk."""
        return self._storage.free_bytes(self.path.parent)

    def pages(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """How many there are as the connection sees it, and the bytes of each."""
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        return int(pages), int(page_bytes)

    def is_full(self, connection: sqlite3.Connection) -> bool:
        """Whether it can hardly grow any more. Raises: sqlite3.Error; OSError."""
        free_bytes = self.free_bytes()
        if not is_low(free_bytes):
            return False
        pages, page_bytes = self.pages(connection)
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        more = most_pages(pages, page_bytes, free_bytes) - pages + int(unused)
        return more * page_bytes < ROOM_BYTES

    def probe(self, connection: sqlite3.Connection) -> None:
        """Write what is there already: into a transaction, which nobody sees to be one."""
        connection.execute(f"PRAGMA user_version = {version_of(connection)}")

    def copy(self, connection: sqlite3.Connection) -> Path:
        """All that the connection sees, in a file of its own that is on the disk and was checked.

        Raises: sqlite3.Error; OSError; IoError where the copy is damaged.
        """
        copy = self._copy_path()
        try:
            with closing(self._connect(copy)) as target:
                target.execute("PRAGMA journal_mode = OFF")
                connection.backup(target)
            self._storage.sync_file(copy)
            pages, page_bytes = self.pages(connection)
            self._require_whole(copy, pages * page_bytes)
        except Exception:
            with suppress(OSError):  # It takes space; else it goes when the file is opened.
                self._remove_copy()
            raise
        return copy

    def replace_by(self, copy: Path) -> None:
        """Let the copy take the file's place; no connection may be open. Raises: OSError."""
        self._storage.rename(copy, self.path)
        self._storage.sync_directory(self.path.parent)
        for suffix in LOGS:  # Not before: without the copy they hold what was acknowledged.
            self._storage.remove(Path(f"{self.path}{suffix}"))
        self._storage.sync_directory(self.path.parent)

    def _require_whole(self, copy: Path, size_bytes: int) -> None:
        found = copy.stat().st_size
        if found != size_bytes:
            raise IoError(f"its copy has {found} bytes and should have {size_bytes}")
        if damage := self._damage(copy):
            raise IoError(f"its copy is damaged: {damage}")

    def _copy_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.copy")

    def _remove_copy(self) -> None:
        for suffix in ("", *LOGS):
            clear(self._storage, Path(f"{self._copy_path()}{suffix}"))

    def _refuse_newer(self) -> None:
        with suppress(sqlite3.DatabaseError), closing(read_only(self.path)) as connection:
            require_known(connection, self._migrations)

    def _damage(self, path: Path) -> str:
        """What is wrong with a file, or "". Time grows with its size."""
        try:
            with closing(self._connect(path)) as connection:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            if code_of(error) & 0xFF not in DAMAGED:
                raise
            return str(error)
        return "" if answer == "ok" else str(answer)

    def _keep_aside(self) -> Path:
        """The log goes first: left behind, it would be replayed into the new file."""
        now = datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC)
        aside = self.path.with_name(f"{self.path.name}.damaged-{now:%Y%m%dT%H%M%S.%fZ}")
        for suffix in (*LOGS, ""):
            with suppress(FileNotFoundError):
                self._storage.rename(Path(f"{self.path}{suffix}"), Path(f"{aside}{suffix}"))
        return aside


def require_plain(path: Path) -> None:
    """Let SQLite open a file, or make it: it would wait for whoever is to fill a FIFO.

    Raises: NotPlain; OSError.
    """
    for suffix in OPENED:
        plain_file.require(path.with_name(f"{path.name}{suffix}"))


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, for any thread.

    Raises: sqlite3.Error; NotPlain; OSError.
    """
    require_plain(path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    reader = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    reader.text_factory = legible
    return reader
