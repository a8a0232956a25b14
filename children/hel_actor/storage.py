"""The seam between the files of time series and the disk, where tests let it fail."""

import os
from pathlib import Path
from typing import Protocol

PARTIAL = ".partial"


class Storage(Protocol):
    """What is done to the disk. Each may raise OSError, and has then done it, or not, or half."""

    def make_directory(self, path: Path) -> None:
        """Make one directory; an existing one is fine."""

    def write(self, path: Path, content: bytes) -> None:
        """Make or overwrite a file; its content, not yet its name, is on the disk after that."""

    def rename(self, path: Path, target: Path) -> None: ...

    def sync_directory(self, path: Path) -> None:
        """After that the names in it are on the disk."""

    def remove(self, path: Path) -> None:
        """Remove a file; a missing one is fine."""


class Disk:
    """The real one."""

    def make_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)

    def write(self, path: Path, content: bytes) -> None:
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, path: Path, target: Path) -> None:
        path.rename(target)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def partial(path: Path) -> Path:
    """Where the content of a file stands until it is whole."""
    return path.with_name(f".{path.name}{PARTIAL}")


def is_partial(path: Path) -> bool:
    """Whether it is what `partial` gives for some file."""
    return path.name.startswith(".") and path.name.endswith(PARTIAL)


def replace_file(storage: Storage, path: Path, content: bytes) -> None:
    """Make or replace a file, wholly or not at all; its name is durable when its directory is."""
    storage.write(partial(path), content)
    storage.rename(partial(path), path)
