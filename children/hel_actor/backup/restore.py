"""What the gateway asks to put a backup back: it comes in, is verified, and takes its place."""

import ctypes
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import IO

from hel_actor import plain_file
from hel_actor.backup import swap
from hel_actor.backup.backup import contents
from hel_actor.backup.parcel import BadParcel, unpack
from hel_actor.backup.snapshot import DATABASE, FILES, SERIES, SPARE_BYTES
from hel_actor.soundness import bring_forward
from hel_actor.storage import Disk
from loki.child import BackupContents, Clock, ServiceHandler, Shell
from loki.errors import (
    ErrorCode,
    InvalidArgument,
    IoError,
    ResourceLimitExceeded,
    ServiceUnavailable,
)
from loki.messages.envelope import Done, Message
from loki.messages.restore import (
    BeginRestore,
    CheckRestore,
    ConfirmRestore,
    DescribeRestore,
    EndRestore,
    RestoreChecked,
    RestoreDone,
    WriteRestore,
)

ARCHIVE = "archive"
LOOK_S = 0.01
ANSWER_LEAVES_S = 0.05
"""Between the answer that it is decided and the end of the process that gave it."""


@dataclass(slots=True)
class Incoming:
    """One restore that is not confirmed yet; all but `given_up` belongs to the worker."""

    id: str
    writer: str
    given_up: Event = field(default_factory=Event)
    file: IO[bytes] | None = None
    size_bytes: int = 0
    checked: bool = False


class Receiver:
    """What is done on the disk until a restore is decided. Used by one thread."""

    def __init__(
        self,
        state: Path,
        clock: Clock,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._state = state
        self._clock = clock
        self._free_bytes = free_bytes
        self._folder = state / swap.UNDECIDED

    def begin(self) -> IO[bytes]:
        """A place for the archive. Raises: OSError."""
        self.clear()
        self._folder.mkdir(mode=0o700, parents=True)
        return open(self._folder / ARCHIVE, "wb", opener=_private)

    def require_room(self, size_bytes: int) -> None:
        """Raises: IoError."""
        free = self._free_bytes(self._state)
        if free < size_bytes + SPARE_BYTES:
            raise IoError(
                f"the archive does not fit on the device, where {free / 1e6:.0f} MB are free; "
                "nothing was changed"
            )

    def check(self, wanted: Callable[[], None]) -> BackupContents:
        """Unpack, verify and count all; then it is on the disk. Raises: LokiError; OSError."""
        new, archive = self._folder / swap.NEW, self._folder / ARCHIVE
        new.mkdir(mode=0o700)
        with os.fdopen(plain_file.opened(archive), "rb") as file:
            manifest = unpack(file, new, self._free_bytes(self._state) - SPARE_BYTES, wanted)
        self._verify(new / DATABASE)
        for name in (FILES, SERIES):
            (new / name).mkdir(mode=0o700, exist_ok=True)
        self._require_one_disk()
        archive.unlink()
        _sync_all(self._folder)
        return contents(manifest, new)

    def decide(self, id_: str) -> None:
        """Raises: OSError."""
        now = datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC)
        while os.path.lexists(self._state / swap.aside_of(now)):  # A clock may have been set back.
            now += timedelta(microseconds=1)
        swap.decide(self._state, swap.Plan(id_, swap.aside_of(now)))

    def clear(self) -> None:
        """Raises: OSError."""
        Disk().remove_tree(self._folder)

    def _verify(self, database: Path) -> None:
        if not database.exists():
            raise BadParcel("it has no database")
        try:
            problem = bring_forward(database)
        except sqlite3.Error as error:
            problem = f"its database cannot be used ({error})"
        if problem:
            raise BadParcel(problem)

    def _require_one_disk(self) -> None:
        """A rename never leaves its file system."""
        disk = self._state.stat().st_dev
        for name in (FILES, SERIES):
            path = self._state / name
            if path.exists() and (path.is_mount() or path.lstat().st_dev != disk):
                raise IoError(
                    f"{name}/ of the state directory is a file system of its own, which cannot be "
                    "replaced; nothing was changed"
                )


class Restores:
    """One at a time; `end` ends this process so that its next start does what was decided."""

    def __init__(
        self, shell: Shell, receiver: Receiver, done: swap.Plan | None, end: Callable[[], None]
    ) -> None:
        """`done` is what this start brought to its end."""
        self._shell = shell
        self._worker = shell.worker("restore")
        self._receiver = receiver
        self._done = done
        self._end_process = end
        self._current: Incoming | None = None
        self._decided = False

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {
            BeginRestore: self._begin,
            WriteRestore: self._write,
            CheckRestore: self._check,
            ConfirmRestore: self._confirm,
            DescribeRestore: self._describe,
            EndRestore: self._end,
        }

    def lost(self, peer: str) -> None:
        if self._current is not None and self._current.writer == peer:
            self._give_up(self._current)

    def close(self) -> "Future[None]":
        """The promise says when nothing is left of what was not decided."""
        if self._current is not None:
            self._give_up(self._current)
        return self._worker.submit(lambda: None)

    def _begin(self, request: BeginRestore) -> "Future[Done]":
        if self._current is not None or self._decided:
            raise ResourceLimitExceeded("somebody restores a backup already")
        incoming = self._current = Incoming(request.id, request.writer)

        def begun() -> None:
            incoming.file = self._receiver.begin()

        return self._work(begun)

    def _write(self, request: WriteRestore) -> "Future[Done]":
        incoming = self._known(request.id)

        def written() -> None:
            if incoming.file is None or request.offset != incoming.size_bytes:
                raise InvalidArgument(f"the archive is at byte {incoming.size_bytes} here")
            self._receiver.require_room(len(request.data))
            incoming.file.write(request.data)
            incoming.size_bytes += len(request.data)

        return self._work(written)

    def _check(self, request: CheckRestore) -> "Future[RestoreChecked]":
        incoming = self._known(request.id)

        def checked() -> RestoreChecked:
            if incoming.file is None:
                raise InvalidArgument("this restore was checked already")
            incoming.file.close()
            incoming.file = None
            with naming():
                found = self._receiver.check(lambda: _require_wanted(incoming.given_up))
            incoming.checked = True
            return RestoreChecked(contents=found)

        return self._worker.submit(checked)

    def _confirm(self, request: ConfirmRestore) -> "Future[Done]":
        incoming = self._known(request.id)

        def confirmed() -> None:
            if not incoming.checked:
                raise InvalidArgument("this restore was not checked")
            self._receiver.decide(incoming.id)

        promise = self._work(confirmed)
        self._look(promise)
        return promise

    def _look(self, promise: "Future[Done]") -> None:
        """Once it is decided and that is answered, this process must not live on for long."""
        if not promise.done():
            self._shell.later(LOOK_S, lambda: self._look(promise))
        elif promise.exception() is None:
            self._current, self._decided = None, True
            self._shell.later(ANSWER_LEAVES_S, self._end_process)

    def _describe(self, request: DescribeRestore) -> RestoreDone:
        if self._done is None or self._done.id != request.id:
            raise IoError("this restore is not done", code=ErrorCode.NOT_FOUND)
        return RestoreDone(kept_aside=self._done.aside)

    def _end(self, request: EndRestore) -> Done:
        if self._current is not None and self._current.id == request.id:
            self._give_up(self._current)
        return Done()

    def _known(self, id_: str) -> Incoming:
        if self._current is None or self._current.id != id_:
            raise IoError("this restore is over; begin a new one", code=ErrorCode.NOT_FOUND)
        return self._current

    def _give_up(self, incoming: Incoming) -> None:
        """Its folder is removed after whatever is under way; not where that decided it."""
        self._current = None
        incoming.given_up.set()

        def ended() -> None:
            try:
                if incoming.file is not None:
                    incoming.file.close()
                self._receiver.clear()
            except OSError as error:  # The next restore, or the next start, tries again.
                self._shell.log.error("what is left of a restore cannot be removed: %s", error)

        self._worker.submit(ended)

    def _work(self, act: Callable[[], None]) -> "Future[Done]":
        def acted() -> Done:
            with naming():
                act()
            return Done()

        return self._worker.submit(acted)


@contextmanager
def naming() -> Iterator[None]:
    """Turn what the disk says into what a person can use."""
    try:
        yield
    except OSError as error:
        raise IoError(
            f"the backup cannot be restored on the device: {error.strerror}; nothing was changed"
        ) from error


def _require_wanted(given_up: Event) -> None:
    if given_up.is_set():
        raise ServiceUnavailable("the restore was given up", code=ErrorCode.DRAINING)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _sync_all(folder: Path) -> None:
    """Thousands of files at once, rather than one by one. Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)
