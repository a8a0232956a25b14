"""What is at the paths of a backup, which may be longer than the kernel takes at once.

A script's path may be as long as the kernel allows, and here a device's folders come before it. So
every folder is opened beneath the one above it. No link is followed.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hel_actor import plain_file
from hel_actor.file.jail import UNFINISHED
from hel_actor.file.resolver import MAX_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES

ABOVE = 2
"""Names before a script's own path: the kind of data, and the script."""
LONGEST_BYTES = MAX_PATH_BYTES + ABOVE * (MAX_NAME_BYTES + 1)
DEEPEST = MAX_DEPTH + ABOVE

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
GONE = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class Found:
    """A plain file or a folder. `path` is relative, with slashes."""

    path: str
    size_bytes: int = 0
    is_folder: bool = False


def is_too_long(path: str) -> bool:
    """Whether neither a script's file nor a series' can be there. `path` is an archive's."""
    names = os.fsencode(path).split(b"/")
    return (
        sum(map(len, names)) + len(names) - 1 > LONGEST_BYTES
        or len(names) > DEEPEST
        or max(map(len, names)) > MAX_NAME_BYTES
    )


@contextmanager
def parent(top: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder that has, or is to have, `path` beneath `top`; and the name there.

    With `make` the folders are made that are not there. Raises: OSError.
    """
    *above, last = path.split("/")
    at = os.open(top, FOLDER)
    try:
        for name in above:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=at)
            deeper = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = deeper
        yield at, last
    finally:
        os.close(at)


def opened(top: Path, path: str) -> int:
    """A descriptor of the plain file that has `path` beneath `top`. Raises: OSError."""
    with parent(top, path) as (folder, name):
        return plain_file.opened(name, folder=folder)


def entered(top: Path, path: str) -> int:
    """A descriptor of the folder that has `path` beneath `top`. Raises: OSError."""
    with parent(top, path) as (folder, name):
        return os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def created(top: Path, path: str) -> int:
    """A descriptor of a new file, whose folders are made. Raises: OSError."""
    with parent(top, path, make=True) as (folder, name):
        return os.open(name, NEW, 0o600, dir_fd=folder)


def make_folder(top: Path, path: str) -> None:
    """Make a folder that is new, and those above it. Raises: OSError."""
    with parent(top, path, make=True) as (folder, name):
        os.mkdir(name, 0o700, dir_fd=folder)


def walk(top: Path, skipped: Callable[[Path], None]) -> Iterator[Found]:
    """All beneath `top` that a backup has, each folder before what it holds.

    `skipped` is told of what no script can have made. What goes away meanwhile is not there, nor
    is a missing `top`. Raises: OSError.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found = _inside(top, folder, skipped)
        except GONE:
            continue
        if folder:
            yield Found(folder, is_folder=True)
        yield from (each for each in found if not each.is_folder)
        folders += [each.path for each in reversed(found) if each.is_folder]


def _inside(top: Path, folder: str, skipped: Callable[[Path], None]) -> list[Found]:
    """In the order of their names."""
    descriptor = entered(top, folder) if folder else os.open(top, FOLDER)
    prefix, found = f"{folder}/" if folder else "", []
    try:
        for name in sorted(os.listdir(descriptor)):
            if not folder and name == UNFINISHED:
                continue
            with suppress(FileNotFoundError):
                status = os.lstat(name, dir_fd=descriptor)
                if (each := _known(top.name, prefix + name, status)) is not None:
                    found.append(each)
                else:
                    skipped(top / prefix / name)
    finally:
        os.close(descriptor)
    return found


def _known(kind: str, path: str, status: os.stat_result) -> Found | None:
    """None for what no script could have made, or say the name of."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return None
    if is_too_long(f"{kind}/{path}"):
        return None
    if stat.S_ISDIR(status.st_mode):
        return Found(path, is_folder=True)
    return Found(path, status.st_size) if stat.S_ISREG(status.st_mode) else None
