"""The format of a backup: one tar, compressed, that tells first what is in it.

The first member is the manifest, a small JSON document. Each file that follows has its SHA-256 in
its own header, and the manifest that of all names, sizes and sums together: a damaged file is
named, and one that is missing or was put in is noticed. Memory does not grow with their number.
"""

import hashlib
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from hel_actor.backup.path import opened

FORMAT = 1
MANIFEST = "manifest.json"
CHECKSUM = "SCHILY.xattr.user.sha256"  # As an extended attribute, which every tar knows.
BLOCK_BYTES = 256 * 1024
END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)
GZIP = 31  # Source: zlib.h, deflateInit2: the largest window, with a gzip header.
LEVEL = 3  # Time series are compressed already; more costs a small device minutes.


class Entry(msgspec.Struct, frozen=True):
    """One file, or a folder that would be missing else. `path` is relative, with slashes."""

    path: str
    size_bytes: int = 0
    sha256: str = ""  # "" is a folder.
    modified_s: float = 0.0

    def line(self) -> bytes:
        """What the manifest's sum is made of."""
        return f"{self.sha256} {self.size_bytes} {self.path!r}\n".encode()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    format: int
    version: str
    schema: int
    time_ns: int
    device: str
    entries: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the archive, and how many bytes of the files are in it by now."""

    data: bytes
    sent_bytes: int


def pack(manifest: Manifest, entries: Iterable[Entry], folder: Path) -> Iterator[Piece]:
    """The archive of these entries, whose files are beneath `folder`, in pieces of a bounded size.

    Raises: OSError.
    """
    squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    waiting, size_bytes, sent_bytes = [], 0, 0
    for content, counted in _content(manifest, entries, folder):
        squeezed = squeeze.compress(content)
        waiting.append(squeezed)
        size_bytes += len(squeezed)
        sent_bytes += counted
        if size_bytes >= BLOCK_BYTES:
            yield Piece(b"".join(waiting), sent_bytes)
            waiting, size_bytes = [], 0
    yield Piece(b"".join((*waiting, squeeze.flush())), sent_bytes)


def _content(
    manifest: Manifest, entries: Iterable[Entry], folder: Path
) -> Iterator[tuple[bytes, int]]:
    """Blocks of the tar, and how many of each are a file's."""
    document = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    head = tarfile.TarInfo(MANIFEST)
    head.size, head.mode, head.mtime = len(document), 0o600, manifest.time_ns // 10**9
    yield _header(head), 0
    yield document + _padding(len(document)), 0
    for entry in entries:
        yield _header(_information(entry)), 0
        if entry.sha256:
            with os.fdopen(opened(folder, entry.path), "rb") as file:
                while block := file.read(BLOCK_BYTES):
                    yield block, len(block)
            yield _padding(entry.size_bytes), 0
    yield END_OF_TAR, 0


def _header(information: tarfile.TarInfo) -> bytes:
    return information.tobuf(tarfile.PAX_FORMAT)


def _information(entry: Entry) -> tarfile.TarInfo:
    made = tarfile.TarInfo(entry.path)
    made.mtime = entry.modified_s  # It may have a fraction.
    if entry.sha256:
        made.size, made.mode = entry.size_bytes, 0o600
        made.pax_headers = {CHECKSUM: entry.sha256}
    else:
        made.type, made.mode = tarfile.DIRTYPE, 0o700
    return made


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % tarfile.BLOCKSIZE)


class Tally:
    """What the manifest says of all entries together."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self.entries = 0
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def count(self, entry: Entry) -> None:
        self._sum.update(entry.line())
        self.entries += 1
        self.size_bytes += entry.size_bytes


class Ledger(Tally):
    """The entries of one archive; they wait in a file, for memory may be too small for them."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    @classmethod
    def beside(cls, folder: Path) -> "Ledger":
        """One whose file nobody sees, on the disk of `folder`. Raises: OSError."""
        return cls(tempfile.TemporaryFile(dir=folder))

    def add(self, entry: Entry) -> None:
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self.count(entry)

    def read(self) -> Iterator[Entry]:
        """All that were added, from the first."""
        self._file.seek(0)
        for line in self._file:
            yield msgspec.json.decode(line, type=Entry)

    def close(self) -> None:
        self._file.close()
