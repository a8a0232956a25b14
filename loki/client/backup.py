"""A device's backup as it comes in: what is in it, then its bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from loki.client.server_stream import ServerStream
from loki.v1 import backup_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupContents:
    """What an archive says of itself."""

    entries: int  # Files and folders.
    size_bytes: int  # Of the files; the archive is compressed, and smaller.
    version: str  # Of the Loki that made it.
    schema: int  # A Loki that knows only earlier ones cannot use it.
    time: datetime  # The moment that it shows, by the device's clock, UTC.
    device: str


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


def contents_of(contents: backup_pb2.BackupContents) -> BackupContents:
    return BackupContents(
        entries=contents.entries,
        size_bytes=contents.size_bytes,
        version=contents.version,
        schema=contents.schema,
        time=contents.time.ToDatetime(UTC),
        device=contents.device,
    )
