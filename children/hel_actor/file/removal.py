"""Removing a whole tree that nobody can reach any more, however deep it is.

Every folder is opened beneath a directory that is open, and no link is followed: whatever a tree
holds, nothing outside of it is touched.
"""

import os
import stat

from hel_actor.file.resolver import DIRECTORY, Resolver
from hel_actor.file.syscall import Syscalls
from hel_actor.file.tree import walk


def remove(resolver: Resolver, syscalls: Syscalls, parent: int, name: bytes) -> None:
    """Remove what has this name in `parent`, a file or a folder with all in it.

    Raises: OSError. Then a part of it may be left.
    """
    if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
        syscalls.unlink(parent, name)
        return
    root = resolver(parent, name, DIRECTORY)
    try:
        beneath = [each.path for each in walk(resolver, root) if stat.S_ISDIR(each.status.st_mode)]
        for folder in reversed([b".", *beneath]):  # Folders come after those that hold them.
            _empty(resolver, syscalls, root, folder)
    finally:
        os.close(root)
    syscalls.remove_directory(parent, name)


def _empty(resolver: Resolver, syscalls: Syscalls, root: int, folder: bytes) -> None:
    """The folders in it are empty by now."""
    at = resolver(root, folder, DIRECTORY)
    try:
        for name in map(os.fsencode, syscalls.names(at)):
            if stat.S_ISDIR(os.lstat(name, dir_fd=at).st_mode):
                syscalls.remove_directory(at, name)
            else:
                syscalls.unlink(at, name)
    finally:
        os.close(at)
