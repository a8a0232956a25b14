"""The seam between the files of time series and the disk, where tests let it fail."""

import ctypes
import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from hel_actor import plain_file

PARTIAL = ".partial"
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK}
NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS}

# Source: renameat2(2), linux/fs.h, fcntl.h.
AT_FDCWD = -100
RENAME_EXCHANGE = 2


class Storage(Protocol):
    """What is done to the disk. Each may raise OSError, and has then done it, or not, or half."""

    def make_directory(self, path: Path) -> None:
        """Make one directory; an existing one is fine."""

    def write(self, path: Path, content: bytes) -> None:
        """Make or overwrite a file; its content, not yet its name, is on the disk after that."""

    def free_bytes(self, folder: Path) -> int:
        """What is free for us on the disk that has it."""

    def rename(self, path: Path, target: Path) -> None: ...

    def sync_file(self, path: Path) -> None:
        """After that what others wrote into a file is on the disk, and will be read from there."""

    def sync_directory(self, path: Path) -> None:
        """After that the names in it are on the disk."""

    def remove(self, path: Path) -> None:
        """Remove a file; a missing one is fine."""

    def link(self, path: Path, target: Path) -> None:
        """Give a file that never changes a second name."""

    def exchange(self, path: Path, other: Path) -> None:
        """Let two directories change places, at once where the file system can do it."""

    def remove_tree(self, path: Path) -> None:
        """Remove a directory and all in it, or what stands there instead; nothing is fine."""


class Disk:
    """The real one."""

    def make_directory(self, path: Path) -> None:
        _make_folder(path)

    def write(self, path: Path, content: bytes) -> None:
        if plain_file.is_plain(path):
            descriptor = plain_file.opened(path, os.O_WRONLY | os.O_TRUNC)
        else:
            descriptor = os.open(path, NEW, 0o600)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, folder: Path) -> int:
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize

    def rename(self, path: Path, target: Path) -> None:
        path.rename(target)

    def sync_file(self, path: Path) -> None:
        descriptor = plain_file.opened(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def link(self, path: Path, target: Path) -> None:
        try:
            os.link(path, target)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            with os.fdopen(plain_file.opened(path), "rb") as file:
                self.write(target, file.read())

    def exchange(self, path: Path, other: Path) -> None:
        code = _exchange(path, other)
        if code in NO_EXCHANGE:
            aside = other.with_name(f"{other.name}.old")
            other.rename(aside)
            path.rename(other)
            aside.rename(path)
        elif code:
            raise OSError(code, os.strerror(code), str(path))

    def remove_tree(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def make_lasting(folder: Path) -> None:
    """Make a folder and those above it; then its name is on the disk, and that of its parent.

    Those further up are taken to be older than this start of the device. Raises: OSError.
    """
    _make_folder(folder, parents=True)
    for above in (folder.parent, folder.parent.parent):
        with suppress(PermissionError):  # Then it is not ours, and others made it.
            Disk().sync_directory(above)


def _make_folder(path: Path, *, parents: bool = False) -> None:
    try:
        path.mkdir(mode=0o700, parents=parents, exist_ok=True)
    except FileExistsError as error:
        reason = f"{path.name}/ is not a folder"
        raise NotADirectoryError(errno.ENOTDIR, reason) from error


def partial(path: Path) -> Path:
    """Where the content of a file stands until it is whole."""
    return path.with_name(f".{path.name}{PARTIAL}")


def is_partial(path: Path) -> bool:
    """Whether it is what `partial` gives for some file."""
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


def replace_file(storage: Storage, path: Path, content: bytes) -> None:
    """Make or replace a file, wholly or not at all; its name is durable when its directory is.

    Whatever else has its name gives way, see `clear`.
    """
    if not plain_file.is_plain(partial(path)):
        clear(storage, partial(path))
    storage.write(partial(path), content)
    if path.is_dir():
        clear(storage, path)
    storage.rename(partial(path), path)


def clear(storage: Storage, path: Path) -> None:
    """Let nothing have that name: a folder, which is not ours, is kept aside, and all else goes."""
    if path.is_dir() and not path.is_symlink():
        storage.rename(path, aside(path))
    elif os.path.lexists(path):
        storage.remove(path)


def aside(path: Path) -> Path:
    """Where something may be kept aside that is not ours: NAME~1, or the next one."""
    paths = (path.with_name(f"{path.name}~{n}") for n in range(1, 10_000))
    return next(each for each in paths if not os.path.lexists(each))


def _exchange(path: Path, other: Path) -> int:
    """The error number, or 0."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    done = renameat2(AT_FDCWD, os.fsencode(path), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    return ctypes.get_errno() if done else 0
