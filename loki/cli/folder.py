"""Folders that are written wholly or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_folder(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """`files` by their paths inside; all else that was in `folder` is gone.

    It is put together beside its place. Should the computer stop in the one moment between the two
    renames, the old and the new one are there, both whole, under names that begin with a dot.

    Raises: OSError; then all is as it was.
    """
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        made.chmod(0o777 & ~_umask())
        there = {made}
        for name, content in files:
            path = made / name
            if path.parent not in there:  # Asked of the disk, it would take as long as the file.
                path.parent.mkdir(parents=True, exist_ok=True)
                there.add(path.parent)
            path.write_bytes(content)
        _put(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)  # It has the new name by now, if all went well.


def _put(made: Path, target: Path) -> None:
    """Raises: OSError."""
    if not target.exists():
        made.rename(target)
        return
    old = made.with_name(f"{made.name}.old")
    target.rename(old)
    try:
        made.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _umask() -> int:
    """Of this process; there is no other way to read it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
