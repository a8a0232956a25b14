"""Second names for the files of series, a few at a time, so that nobody waits for long.

Chunks never change, and none is forgotten meanwhile (see `SeriesStore.hold`). What a checkpoint
adds between two steps is beyond what the database of the picture knows (see `snapshot`). Only a
group that changes places with another one, whose chunks are counted anew, is begun again: that
happens when an earlier forgetting is brought to its end just then.
"""

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hel_actor.storage import PARTIAL, Storage

FILES_AT_ONCE = 200


class Links:
    """Iterate in the thread of the series; each step makes some names, the last one ends it."""

    def __init__(self, storage: Storage, skipped: Callable[[Path], None]) -> None:
        self._storage = storage
        self._skipped = skipped
        self._made = 0

    def of_all(self, folder: Path, target: Path) -> Iterator[None]:
        """Of the groups that there are now, and of the descriptions above them.

        Each step may raise OSError.
        """
        groups = {namespace: self._folders(namespace) for namespace in self._folders(folder)}
        return self._of_groups(folder, groups, target)

    def _of_groups(
        self, folder: Path, groups: Mapping[Path, Sequence[Path]], target: Path
    ) -> Iterator[None]:
        target.mkdir(mode=0o700)
        for namespace, inner in groups.items():
            (target / namespace.name).mkdir(mode=0o700)
            for group in inner:
                yield from self._of_group(group, target / namespace.name / group.name)
            self._link_files(namespace, target / namespace.name)
        self._link_files(folder, target)

    def _of_group(self, group: Path, target: Path) -> Iterator[None]:
        whole = False
        while not whole:
            self._storage.remove_tree(target)
            which, whole = group.stat().st_ino, True
            for _ in self._of_folder(group, target):
                yield
                if group.stat().st_ino != which:
                    whole = False
                    break

    def _of_folder(self, folder: Path, target: Path) -> Iterator[None]:
        target.mkdir(mode=0o700)
        for inner in self._folders(folder):
            yield from self._of_folder(inner, target / inner.name)
        for path in self._files(folder):
            with suppress(FileNotFoundError):  # One that nobody was told of, and that went.
                self._storage.link(path, target / path.name)
            self._made += 1
            if self._made % FILES_AT_ONCE == 0:
                yield

    def _link_files(self, folder: Path, target: Path) -> None:
        for path in self._files(folder):
            self._storage.link(path, target / path.name)

    def _folders(self, folder: Path) -> list[Path]:
        found = sorted(folder.iterdir()) if folder.exists() else []
        return [
            path
            for path in found
            if path.is_dir() and not path.is_symlink() and not path.name.endswith(PARTIAL)
        ]

    def _files(self, folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            with suppress(FileNotFoundError):
                mode = path.lstat().st_mode
                if path.name.endswith(PARTIAL) or stat.S_ISDIR(mode):
                    continue
                if stat.S_ISREG(mode):
                    yield path
                else:
                    self._skipped(path)
