"""Finds what has no place among the files of series: it is told of, and never opened."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from hel_actor.plain_file import kind
from hel_actor.series.description import ARRAYS, NAME
from hel_actor.storage import is_partial

MOST_ODD = 100
GROUP, ARRAY, CHUNKS = 2, 3, 4
"""How deep their contents lie beneath the folder of all series."""
FOLDERS = {GROUP: frozenset(ARRAYS), ARRAY: frozenset({"c"})}
ASIDE = "~"
GONE = (FileNotFoundError, NotADirectoryError)


def of_series(folder: Path) -> tuple[tuple[str, str], ...]:
    """Path beneath `folder`, "" for itself, and what it is; not of many more than some.

    Raises: OSError.
    """
    if what := unusable(folder):
        return (("", what),)
    return tuple(islice(_inside(folder, "", 0), MOST_ODD))


def unusable(folder: Path) -> str:
    """What is there instead of a folder that can be used; "" for one that can, and for none."""
    if not os.path.lexists(folder):
        return ""
    if not folder.is_dir():
        return f"is {kind(folder.lstat().st_mode) or 'a plain file'}, not a folder"
    return "" if os.access(folder, os.R_OK | os.X_OK) else "is a folder that may not be read"


def _inside(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for name in _names(folder):
        path = folder / name
        with suppress(*GONE):
            mode = path.lstat().st_mode
            if what := _odd(name, mode, depth):
                yield ascii(prefix + name)[1:-1], what
            elif stat.S_ISDIR(mode) and depth < CHUNKS and not _is_aside(name):
                yield from _inside(path, f"{prefix}{name}/", depth + 1)


def _names(folder: Path) -> list[str]:
    with suppress(*GONE):
        return sorted(os.listdir(folder))
    return []


def _is_aside(name: str) -> bool:
    """Of a group, or hidden: neither is used, and both are told of where it matters."""
    return ASIDE in name or name.startswith(".")


def _odd(name: str, mode: int, depth: int) -> str:
    """What is wrong with it; "" for nothing."""
    is_folder = stat.S_ISDIR(mode)
    if depth >= GROUP and ASIDE in name:
        return "was kept aside"
    if is_partial(Path(name)) and not is_folder:
        return ""  # It goes by itself, whatever it is.
    if is_folder and (name == NAME or (depth == CHUNKS and name.isdigit())):
        return "is a folder, not a plain file"
    if stat.S_ISREG(mode) and name in FOLDERS.get(depth, ()):
        return "is a plain file, not a folder"
    what = "" if is_folder else kind(mode)
    return f"is {what}, which has no place there" if what else ""
