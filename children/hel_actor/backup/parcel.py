"""An archive that somebody sent: unpacked into a folder of its own, believed only when verified.

Nothing in it is trusted. Only folders and plain files are made, only where a backup has them; sizes
are bounded by what the archive announces, and that by the free disk; headers are read by a reader
that knows what `bundle` writes and no more, so that none can ask for memory or for another place.
"""

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import msgspec

from hel_actor.backup.bundle import BLOCK_BYTES, CHECKSUM, FORMAT, MANIFEST, Entry, Manifest, Tally
from hel_actor.backup.path import created, is_too_long, make_folder
from hel_actor.backup.snapshot import DATABASE, FILES, SERIES
from hel_actor.file.jail import UNFINISHED
from loki.errors import InvalidArgument

LONGEST_HEADER_BYTES = 64 * 1024
PLAIN, FOLDER, EXTENDED = (tarfile.REGTYPE, tarfile.AREGTYPE), tarfile.DIRTYPE, tarfile.XHDTYPE


class Readable(Protocol):
    def read(self, size_bytes: int, /) -> bytes: ...


class BadParcel(InvalidArgument):
    """It is no backup, or not the one that was made."""

    def __init__(self, what: str) -> None:
        super().__init__(f"this is no backup that can be restored: {what}; nothing was changed")


@dataclass(frozen=True, slots=True)
class Member:
    """What a header says of one file or folder."""

    path: str
    is_folder: bool
    size_bytes: int
    sha256: str
    modified_s: float


def checked_path(path: str) -> str:
    """A path where a backup may have something. Raises: BadParcel."""
    parts = path.split("/")
    encoded = path.encode(errors="surrogateescape")
    shown = ascii(path[:200])
    if any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise BadParcel(f"it has a file called {shown}")
    if is_too_long(path):
        raise BadParcel(f"it has a file whose path is too long: {shown}")
    if encoded != path.encode(errors="replace"):
        raise BadParcel(f"it has a file whose name is not UTF-8: {shown}")
    known = path == DATABASE or (len(parts) > 1 and parts[0] in (FILES, SERIES))
    if not known or parts[:2] == [FILES, UNFINISHED]:
        raise BadParcel(f"it has a file where none belongs: {shown}")
    return path


def unpack(
    archive: IO[bytes], folder: Path, room_bytes: int, wanted: Callable[[], None]
) -> Manifest:
    """Unpack all of it into `folder`, which is empty. `wanted` raises to give up.

    Raises: BadParcel; OSError.
    """
    try:
        with gzip.GzipFile(fileobj=archive) as tar:
            manifest = _manifest(tar)
            if manifest.size_bytes > room_bytes:
                raise BadParcel(
                    f"it has {manifest.size_bytes / 1e6:.0f} MB of files, and "
                    f"{max(0, room_bytes) / 1e6:.0f} MB of disk are free for them"
                )
            _unpack(tar, manifest, folder, wanted)
            while tar.read(BLOCK_BYTES):  # Its own checksum is at the end.
                wanted()
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.HeaderError) as error:
        raise BadParcel(f"it is damaged or not complete ({error})") from error
    return manifest


def _manifest(tar: Readable) -> Manifest:
    first = next(_members(tar), None)
    if first is None or first.path != MANIFEST or first.size_bytes > LONGEST_HEADER_BYTES:
        raise BadParcel("it does not begin with a manifest")
    try:
        manifest = msgspec.json.decode(_exactly(tar, first.size_bytes), type=Manifest)
    except msgspec.MsgspecError as error:
        raise BadParcel(f"its manifest cannot be read ({error})") from error
    _exactly(tar, -first.size_bytes % tarfile.BLOCKSIZE)
    if manifest.format != FORMAT:
        raise BadParcel(
            f"it has format {manifest.format}, made by Loki {manifest.version[:40]!r}; "
            f"this Loki knows format {FORMAT}"
        )
    return manifest


def _unpack(tar: Readable, manifest: Manifest, folder: Path, wanted: Callable[[], None]) -> None:
    tally = Tally()
    for member in _members(tar):
        wanted()
        _require_announced(member, tally, manifest)
        tally.count(_put(tar, member, folder))
    announced = (manifest.entries, manifest.size_bytes, manifest.sha256)
    if (tally.entries, tally.size_bytes, tally.sha256) != announced:
        raise BadParcel("its files are not those that its manifest speaks of")


def _require_announced(member: Member, tally: Tally, manifest: Manifest) -> None:
    if tally.entries == manifest.entries:
        raise BadParcel("it has more files than it announces")
    if tally.size_bytes + member.size_bytes > manifest.size_bytes:
        raise BadParcel("its files are larger than it announces")


def _put(tar: Readable, member: Member, folder: Path) -> Entry:
    path = checked_path(member.path)
    try:
        if member.is_folder:
            make_folder(folder, path)
            return Entry(path)
        descriptor = created(folder, path)
    except (FileExistsError, NotADirectoryError):
        raise BadParcel(f"it has {path[:200]!a} twice") from None
    with os.fdopen(descriptor, "wb") as file:
        found = _copy(tar, member.size_bytes, file)
        if found != member.sha256:
            raise BadParcel(f"the checksum of {path!r} is wrong")
        file.flush()  # What is written later would change the time.
        os.utime(descriptor, (member.modified_s, member.modified_s))
    return Entry(path, member.size_bytes, found)


def _copy(tar: Readable, size_bytes: int, file: IO[bytes]) -> str:
    """The content's checksum."""
    digest, left = hashlib.sha256(), size_bytes
    while left:
        block = _exactly(tar, min(left, BLOCK_BYTES))
        digest.update(block)
        file.write(block)
        left -= len(block)
    _exactly(tar, -size_bytes % tarfile.BLOCKSIZE)
    return digest.hexdigest()


def _members(tar: Readable) -> Iterator[Member]:
    """Each header; what follows it is for who asks to read before the next. Raises: BadParcel."""
    extended: dict[str, str] = {}
    while (block := _exactly(tar, tarfile.BLOCKSIZE)).strip(b"\0"):
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.type == EXTENDED:
            extended = _extended(tar, header.size)
            continue
        if header.type not in PLAIN and header.type != FOLDER:
            raise BadParcel(f"{header.name[:200]!a} is neither a file nor a folder")
        yield _member(header, extended)
        extended = {}


def _member(header: tarfile.TarInfo, extended: dict[str, str]) -> Member:
    is_folder = header.type == FOLDER
    try:
        size_bytes = int(extended.get("size", header.size))
        modified_s = float(extended.get("mtime", header.mtime))
    except ValueError as error:
        raise BadParcel(f"a header is damaged ({error})") from error
    if size_bytes < 0 or (is_folder and size_bytes) or not abs(modified_s) < 2**40:
        raise BadParcel("a header has impossible numbers")
    path = extended.get("path", header.name).removesuffix("/")
    return Member(path, is_folder, size_bytes, extended.get(CHECKSUM, ""), modified_s)


def _extended(tar: Readable, size_bytes: int) -> dict[str, str]:
    """The records of a pax header. Source: POSIX.1-2017, pax, "pax Extended Header"."""
    if not 0 <= size_bytes <= LONGEST_HEADER_BYTES:
        raise BadParcel("a header is too long")
    text = _exactly(tar, size_bytes)
    _exactly(tar, -size_bytes % tarfile.BLOCKSIZE)
    found: dict[str, str] = {}
    while text:
        length, _, _ = text.partition(b" ")
        numeric = length.isdigit() and len(length) < 8
        if not numeric or not len(length) + 1 < int(length) <= len(text):
            raise BadParcel("a header is damaged")
        record, text = text[len(length) + 1 : int(length) - 1], text[int(length) :]
        key, _, value = record.partition(b"=")
        found[key.decode(errors="replace")] = value.decode(errors="surrogateescape")
    return found


def _exactly(tar: Readable, size_bytes: int) -> bytes:
    content = tar.read(size_bytes)
    if len(content) != size_bytes:
        raise BadParcel("it ends too early")
    return content
