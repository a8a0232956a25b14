"""The seam between the files of scripts and the kernel, where tests let it fail.

Everything is relative to a directory that is open already: which one, the resolver has decided.
"""

import os
from typing import Protocol

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Syscalls(Protocol):
    """What is done to files. Each may raise OSError, and has then done it, or not, or half."""

    def make_directory(self, parent: int, name: bytes) -> bool:
        """Make one directory, and say whether it is new; an existing one is fine."""

    def create(self, parent: int, name: str) -> int:
        """A descriptor of a new file, open for writing."""

    def write(self, descriptor: int, content: bytes) -> None:
        """All of it, or an error."""

    def sync(self, descriptor: int) -> None:
        """After that a file's content is on the disk, or the names in a directory are."""

    def rename(
        self, parent: int, name: str | bytes, new_parent: int, new_name: str | bytes
    ) -> None: ...

    def unlink(self, parent: int, name: str | bytes) -> None: ...

    def remove_directory(self, parent: int, name: bytes) -> None: ...

    def read(self, descriptor: int, most_bytes: int) -> bytes:
        """From the start of a file just opened: all of it, or so many bytes."""

    def names(self, directory: int) -> list[str]:
        """In no order."""


class Kernel:
    """The real one."""

    def make_directory(self, parent: int, name: bytes) -> bool:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            return False
        return True

    def create(self, parent: int, name: str) -> int:
        return os.open(name, NEW_FILE, 0o600, dir_fd=parent)

    def write(self, descriptor: int, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def rename(
        self, parent: int, name: str | bytes, new_parent: int, new_name: str | bytes
    ) -> None:
        os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=new_parent)

    def unlink(self, parent: int, name: str | bytes) -> None:
        os.unlink(name, dir_fd=parent)

    def remove_directory(self, parent: int, name: bytes) -> None:
        os.rmdir(name, dir_fd=parent)

    def read(self, descriptor: int, most_bytes: int) -> bytes:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes)

    def names(self, directory: int) -> list[str]:
        return os.listdir(directory)


def exists(parent: int, name: bytes) -> bool:
    """Whether a directory has that name, whatever it is. Raises: OSError."""
    try:
        os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True
