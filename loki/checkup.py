"""Looks at a state directory from outside, without changing anything."""

import errno
import fcntl
import os
import shutil
import stat
import struct
from pathlib import Path

from loki.core.state_folder import FolderFacts

LOCK = "hhqqi"
"""Source: fcntl(2), struct flock: type, whence, start, length, pid."""

OPENED = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def look(path: Path) -> FolderFacts:
    """Raises: OSError where it may not be looked at."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return FolderFacts(str(path), exists=False)
    if not stat.S_ISDIR(status.st_mode):
        return FolderFacts(str(path), is_folder=False)
    return FolderFacts(
        str(path),
        owner=status.st_uid,
        user=os.geteuid(),
        mode=stat.S_IMODE(status.st_mode),
        free_bytes=shutil.disk_usage(path).free,
        is_read_only=_is_read_only(path),
        holder=_holder(path / "lock"),
    )


def _is_read_only(path: Path) -> bool:
    """The file system; ext4 after an error says so only to who opens a file for writing."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return True
    try:
        os.close(os.open(path / "lock", OPENED | os.O_RDWR))
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def _holder(lock: Path) -> int:
    """Asked without taking the lock: a Loki that starts just then must get it.

    Nor is it opened for writing, which a read-only file system refuses.
    """
    try:
        descriptor = os.open(lock, OPENED | os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        asked = struct.pack(LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(LOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return 0 if kind == fcntl.F_UNLCK else int(pid)
