"""All that is beneath a directory, however deep and however much, with one descriptor."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from hel_actor.file.resolver import DIRECTORY, Resolver


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a tree. `path` begins at the tree's root; a link is told of, not followed."""

    path: bytes
    status: os.stat_result


def walk(resolver: Resolver, root: int) -> Iterator[Entry]:
    """Everything beneath the directory `root`, parents before what they hold.

    Folders that cannot be opened are told of and not entered: nothing is served from there either.
    Raises: OSError.
    """
    folders = [b"."]
    while folders:
        folder = folders.pop()
        try:
            descriptor = resolver(root, folder, DIRECTORY)
        except OSError:
            continue
        try:
            for entry in _entries(descriptor, b"" if folder == b"." else folder + b"/"):
                if stat.S_ISDIR(entry.status.st_mode):
                    folders.append(entry.path)
                yield entry
        finally:
            os.close(descriptor)


def _entries(directory: int, prefix: bytes) -> Iterator[Entry]:
    for name in os.listdir(directory):
        raw = os.fsencode(name)
        try:
            status = os.lstat(raw, dir_fd=directory)
        except FileNotFoundError:
            continue
        yield Entry(prefix + raw, status)
