"""A disk that fails at one operation, in one of the ways in which disks and processes end."""

import errno
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from hel_actor.storage import Disk


class Failure(Enum):
    BEFORE = "nothing was done"
    HALF = "half of it was written"
    AFTER = "it was done, and the answer got lost"


class FailingDisk:
    """The real disk, but the `fails_at`-th operation (from 1) raises; later ones work again."""

    def __init__(
        self, fails_at: int, how: Failure = Failure.BEFORE, code: int = errno.ENOSPC
    ) -> None:
        self._disk = Disk()
        self._fails_at = fails_at
        self._how = how
        self._code = code
        self.count = 0

    @property
    def fired(self) -> bool:
        return self.count >= self._fails_at

    def make_directory(self, path: Path) -> None:
        self._do(lambda: self._disk.make_directory(path))

    def write(self, path: Path, content: bytes) -> None:
        half = content[: len(content) // 2]
        self._do(lambda: self._disk.write(path, content), half=lambda: self._disk.write(path, half))

    def rename(self, path: Path, target: Path) -> None:
        self._do(lambda: self._disk.rename(path, target))

    def sync_directory(self, path: Path) -> None:
        self._do(lambda: self._disk.sync_directory(path))

    def remove(self, path: Path) -> None:
        self._do(lambda: self._disk.remove(path))

    def link(self, path: Path, target: Path) -> None:
        self._do(lambda: self._disk.link(path, target))

    def exchange(self, path: Path, other: Path) -> None:
        self._do(lambda: self._disk.exchange(path, other))

    def remove_tree(self, path: Path) -> None:
        self._do(lambda: self._disk.remove_tree(path))

    def _do(self, act: Callable[[], None], half: Callable[[], None] = lambda: None) -> None:
        self.count += 1
        if self.count != self._fails_at:
            act()
            return
        {Failure.BEFORE: lambda: None, Failure.HALF: half, Failure.AFTER: act}[self._how]()
        raise OSError(self._code, os.strerror(self._code))
