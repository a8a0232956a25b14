"""What somebody may put where a plain file belongs; who opens it may wait, or read, for ever."""

import os
import shutil
import stat
from pathlib import Path


def fifo(path: Path) -> None:
    _gone(path)
    os.mkfifo(path)


def link(path: Path) -> None:
    """To what never ends."""
    _gone(path)
    path.symlink_to("/dev/zero")


def socket(path: Path) -> None:
    _gone(path)
    os.mknod(path, stat.S_IFSOCK | 0o600)


def folder(path: Path) -> None:
    """With something in it that is not ours to remove."""
    _gone(path)
    path.mkdir()
    (path / "note").touch()


STRANGE = (fifo, link, socket, folder)


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
