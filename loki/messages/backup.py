"""Gateway and the child that keeps data, about copies of all that it keeps."""

import msgspec

from loki.messages.envelope import Done, Message, Request


class BackupCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How much of each kind is in it."""

    scripts: int  # That are registered.
    revisions: int  # Of them, and of those that were removed.
    values: int
    executions: int
    files: int  # Of scripts.
    series: int
    rows: int  # Of all series.
    strange_series: int  # That have files, and that the database does not know.
    missing_series: int  # That should have files, and have none.


class BackupContents(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    entries: int  # Files and folders.
    size_bytes: int  # Of the files.
    version: str  # Of the Loki that made it.
    schema: int
    time_ns: int  # Since 1970, by the device's clock.
    device: str
    counts: BackupCounts


class BackupBegun(Message):
    contents: BackupContents


class BeginBackup(Request[BackupBegun]):
    """Gateway -> keeper: take a picture of what you keep. Answered when it is taken."""

    id: str
    reader: str  # The actor that reads it; a backup ends with its reader.
    version: str  # Of this Loki.


class BackupPiece(Message):
    data: bytes
    sent_bytes: int  # Of the files, with this piece.
    last: bool


class ReadBackup(Request[BackupPiece]):
    """Gateway -> keeper: the next bytes of the archive."""

    id: str
    offset: int  # Bytes that the reader has.


class EndBackup(Request[Done]):
    """Gateway -> keeper: nobody reads it any more. Fine for one that is over, too."""

    id: str
