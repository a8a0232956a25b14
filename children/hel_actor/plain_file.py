"""Opens plain files and nothing else: a FIFO in the place of one would hold up whoever opens it.

Whoever may write beneath the state directory can put anything anywhere. So each file is looked at
before it is opened, as some devices do something when they are, and once more when it is open.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

DESCRIPTION_BYTES = 64 * 1024
"""More than any description that Loki writes, such as a zarr.json."""
WAITS_FOR_NOBODY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class NotPlain(OSError):
    """Something else stands where a plain file belongs, or one that is too large to be ours."""

    def __init__(self, name: str, what: str) -> None:
        """`what` goes on after "it", such as "is a FIFO, not a plain file"."""
        super().__init__(errno.EINVAL, f"{name} {what}")
        self.what = what

    def __str__(self) -> str:
        return str(self.strerror)


def kind(mode: int) -> str:
    """What it is that is no plain file; "" for one that is."""
    return "" if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "no file")


def is_plain(path: Path) -> bool:
    """Whether a plain file is there. Raises: OSError."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def require(path: Path) -> None:
    """Let a plain file be there, or nothing. Raises: NotPlain; OSError."""
    with suppress(FileNotFoundError):
        _require(path.name, path.lstat().st_mode)


def opened(path: Path | str, flags: int = os.O_RDONLY, folder: int | None = None) -> int:
    """A descriptor of a plain file that is there, beneath an open `folder` where one is given.

    Raises: NotPlain; OSError.
    """
    name = os.path.basename(path)
    _require(name, os.lstat(path, dir_fd=folder).st_mode)
    try:
        descriptor = os.open(path, flags | WAITS_FOR_NOBODY, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # It was put there just now.
            raise NotPlain(name, "is not a plain file") from error
        raise
    try:
        _require(name, os.fstat(descriptor).st_mode)
    except NotPlain:
        os.close(descriptor)
        raise
    return descriptor


def read(path: Path, most_bytes: int) -> bytes:
    """All of a plain file. Raises: NotPlain, also for one that has more bytes; OSError."""
    with os.fdopen(opened(path), "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise NotPlain(path.name, "is larger than what was written")
    return content


def _require(name: str, mode: int) -> None:
    if what := kind(mode):
        raise NotPlain(name, f"is {what}, not a plain file")
