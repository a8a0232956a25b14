"""A device's backup as it comes in, and as it goes back."""

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import IO, Any

from loki.client.error import LokiClientError
from loki.client.server_stream import ServerStream
from loki.v1 import backup_pb2

PIECE_BYTES = 256 * 1024
Request = backup_pb2.RestoreBackupRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCounts:
    """How much of each kind is in an archive, counted in the data itself."""

    scripts: int  # That are registered.
    revisions: int  # Of them, and of those that were removed.
    values: int
    executions: int
    files: int  # Of scripts.
    series: int
    rows: int  # Of all series.
    strange_series: int  # That have files, and that the database does not know.
    missing_series: int  # That should have files, and have none.


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupContents:
    """What an archive says of itself."""

    entries: int  # Files and folders.
    size_bytes: int  # Of the files; the archive is compressed, and smaller.
    version: str  # Of the Loki that made it.
    schema: int  # A Loki that knows only earlier ones cannot use it.
    time: datetime  # The moment that it shows, by the device's clock, UTC.
    device: str
    counts: BackupCounts | None = None  # None where an earlier Loki answers.


class BackupStream(ServerStream, Iterator[bytes]):
    """Iterate for the bytes of the archive; leaving the `with` block, or `cancel`, gives it up."""

    sent_bytes = 0
    """How many of `contents().size_bytes` came with the bytes so far."""

    def contents(self) -> BackupContents:
        """Waits until the device has taken a picture of its data; to be called first.

        Raises: LokiClientError.
        """
        return contents_of(self.read().contents)

    def __next__(self) -> bytes:
        """Raises: LokiClientError for a backup that broke off: what came is of no use then."""
        piece = self.read().piece
        self.sent_bytes = piece.sent_bytes
        return bytes(piece.data)


class RestoreStream(ServerStream):
    """Leaving the `with` block, or `cancel`, before `restore` changes nothing on the device."""

    def __init__(self, open_call: Callable[[Iterator[Request]], Any], archive: IO[bytes]) -> None:
        """`archive` is read in another thread, as fast as the device takes it."""
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._broken: Exception | None = None
        self.sent_bytes = 0
        super().__init__(open_call(self._requests(archive)))

    def _requests(self, archive: IO[bytes]) -> Iterator[Request]:
        yield Request(begin=backup_pb2.RestoreBegin())
        try:
            while data := archive.read(PIECE_BYTES):
                yield Request(data=data)
                self.sent_bytes += len(data)
        except (OSError, ValueError) as error:  # ValueError: it was closed.
            self._broken = error
            return
        yield Request(check=backup_pb2.RestoreCheck())
        if self._answers.get():
            yield Request(confirm=backup_pb2.RestoreConfirm())

    def checked(self) -> BackupContents:
        """Waits until the device has all of it and found it sound; nothing is changed by then.

        Raises: LokiClientError; OSError where the archive could not be read.
        """
        try:
            return contents_of(self.read().checked)
        except LokiClientError:
            if self._broken is not None:
                raise self._broken from None
            raise

    def restore(self) -> str:
        """Put it in place; the folder on the device that has what was there before.

        Raises: LokiClientError.
        """
        self._answers.put(True)
        return str(self.read().restored.kept_aside)

    def cancel(self) -> None:
        super().cancel()
        self._answers.put(False)


def contents_of(contents: backup_pb2.BackupContents) -> BackupContents:
    return BackupContents(
        entries=contents.entries,
        size_bytes=contents.size_bytes,
        version=contents.version,
        schema=contents.schema,
        time=contents.time.ToDatetime(UTC),
        device=contents.device,
        counts=_counts_of(contents.counts) if contents.HasField("counts") else None,
    )


def _counts_of(counts: backup_pb2.BackupCounts) -> BackupCounts:
    return BackupCounts(**{each.name: getattr(counts, each.name) for each in fields(BackupCounts)})
