"""What the gateway asks for a backup: a picture is taken, and read piece by piece."""

import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from hel_actor.backup import inventory
from hel_actor.backup.bundle import Manifest, Piece, pack
from hel_actor.backup.snapshot import Lender, Opened, Photographer, Picture
from loki.child import ServiceHandler, Shell
from loki.errors import ErrorCode, InvalidArgument, IoError, ResourceLimitExceeded
from loki.messages.backup import (
    BackupBegun,
    BackupContents,
    BackupPiece,
    BeginBackup,
    EndBackup,
    ReadBackup,
)
from loki.messages.envelope import Done, Message


@dataclass(slots=True)
class Reading:
    """One backup that is under way; all but `given_up` belongs to the worker."""

    id: str
    reader: str
    given_up: Event = field(default_factory=Event)
    picture: Picture | None = None
    pieces: Iterator[Piece] = field(default_factory=lambda: iter(()))
    offset: int = 0  # Of the piece after the last one.
    last: BackupPiece | None = None


class Backups:
    """One at a time. Its reader pulls, so nothing is made that nobody has room for."""

    def __init__(
        self, shell: Shell, photographer: Photographer, opened: Opened, lender: Lender
    ) -> None:
        self._log = shell.log
        self._worker = shell.worker("backup")
        self._photographer = photographer
        self._opened = opened
        self._lender = lender
        self._current: Reading | None = None
        self._worker.submit(self._clear)

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {BeginBackup: self._begin, ReadBackup: self._read, EndBackup: self._end}

    def lost(self, peer: str) -> None:
        """Whoever read it died, and cannot say that it is over."""
        if self._current is not None and self._current.reader == peer:
            self._give_up(self._current)

    def close(self) -> "Future[None]":
        """The promise says when nothing is left of one that was under way."""
        if self._current is not None:
            self._give_up(self._current)
        return self._worker.submit(lambda: None)

    def _begin(self, request: BeginBackup) -> "Future[BackupBegun]":
        if self._current is not None:
            raise ResourceLimitExceeded(
                "somebody makes a backup already; try again when it is done"
            )
        reading = self._current = Reading(request.id, request.reader)

        def taken() -> BackupBegun:
            picture = self._photographer.take(
                self._opened, self._lender, reading.given_up, request.version
            )
            reading.picture = picture
            reading.pieces = pack(picture.manifest, picture.ledger.read(), picture.folder)
            return BackupBegun(contents=contents(picture.manifest, picture.folder))

        return self._worker.submit(taken)

    def _read(self, request: ReadBackup) -> "Future[BackupPiece]":
        reading = self._current
        if reading is None or reading.id != request.id:
            raise IoError("this backup is over; begin a new one", code=ErrorCode.NOT_FOUND)
        return self._worker.submit(lambda: _piece(reading, request.offset))

    def _end(self, request: EndBackup) -> Done:
        if self._current is not None and self._current.id == request.id:
            self._give_up(self._current)
        return Done()

    def _give_up(self, reading: Reading) -> None:
        self._current = None
        reading.given_up.set()

        def ended() -> None:
            if reading.picture is not None:
                reading.picture.close()
            self._clear()

        self._worker.submit(ended)

    def _clear(self) -> None:
        try:
            self._photographer.clear()
        except OSError as error:  # The next backup tries again, and says so to who asks for it.
            self._log.error("what is left of a backup cannot be removed: %s", error)


def _piece(reading: Reading, offset: int) -> BackupPiece:
    """The next one, or the last one once more: its first answer may have been lost."""
    known = reading.last
    if known is not None and offset == reading.offset - len(known.data):
        return known
    if offset != reading.offset:
        raise InvalidArgument(f"the backup is at byte {reading.offset}, not {offset}")
    try:
        piece = next(reading.pieces, None)
    except OSError as error:
        raise IoError(f"the copy on the device cannot be read: {error.strerror}") from error
    found = BackupPiece(data=b"", sent_bytes=0, last=True) if piece is None else _answer(piece)
    reading.last = found
    reading.offset += len(found.data)
    return found


def _answer(piece: Piece) -> BackupPiece:
    return BackupPiece(data=piece.data, sent_bytes=piece.sent_bytes, last=False)


def contents(manifest: Manifest, folder: Path) -> BackupContents:
    """What is in an archive, by its manifest and by what is counted in `folder`.

    Raises: IoError.
    """
    try:
        counts = inventory.count(folder)
    except (OSError, sqlite3.Error) as error:
        raise IoError(f"the copy on the device cannot be counted: {error}") from error
    return BackupContents(
        entries=manifest.entries,
        size_bytes=manifest.size_bytes,
        version=manifest.version,
        schema=manifest.schema,
        time_ns=manifest.time_ns,
        device=manifest.device,
        counts=counts,
    )
