"""What is left of a series that was removed: its files go first aside, then one by one.

Nothing here reads a row, so that neither numpy nor zarr is needed.
"""

from itertools import islice
from pathlib import Path

from hel_actor.series import description
from hel_actor.series.removal import Removed
from hel_actor.storage import PARTIAL, Storage, partial

FILES_AT_ONCE = 256
"""Queries wait for so many to go."""


def set_aside(storage: Storage, folder: Path, removed: Removed) -> None:
    """Let nobody see its files; `folder` has those of all series. Raises: OSError.

    What stands there and is not its own stays. May be repeated.
    """
    group = folder / removed.namespace / removed.name
    if not group.parent.is_dir():
        return
    if partial(group).exists():
        storage.remove_tree(partial(group))
    if group.is_dir() and belongs(group, removed.mark, has_files=removed.has_files):
        storage.remove_tree(_aside(folder, removed))
        storage.rename(group, _aside(folder, removed))
    storage.sync_directory(group.parent)


def erase(storage: Storage, folder: Path, removed: Removed) -> bool:
    """Let some of the files go that were set aside; whether there are more. Raises: OSError."""
    aside = _aside(folder, removed)
    if not aside.is_dir():
        return False
    files = list(islice((f for f in aside.glob("*/c/*") if not f.is_dir()), FILES_AT_ONCE))
    for file in files:
        storage.remove(file)
    if files:
        return True
    storage.remove_tree(aside)
    storage.sync_directory(aside.parent)
    return False


def belongs(group: Path, mark: str, *, has_files: bool) -> bool:
    """Whether a group is of the series with that mark, which has files or has none.

    Where there is no readable description at all: whether there is nothing else either.
    """
    try:
        found = description.read(group).mark
    except FileNotFoundError:
        return has_files or not any(group.glob("*/c/[0-9]*"))
    return has_files if found is None else found == mark


def _aside(folder: Path, removed: Removed) -> Path:
    """Beside it, hidden, and of no other series."""
    return folder / removed.namespace / f".{removed.name}.{removed.mark}{PARTIAL}"
