"""The watch itself sees what it is there for."""

import os
import sqlite3
from pathlib import Path

from tests.contract.watch import WATCH


def test_what_may_block_is_noticed(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    with WATCH.on_this_thread():
        (tmp_path / "x").write_text("x")
        os.listdir(tmp_path)
        sqlite3.connect(tmp_path / "y").close()
        os.fsync(directory)
    os.close(directory)
    assert set(WATCH.seen) >= {"io.open", "posix.listdir", "_sqlite3.connect", "posix.fsync"}


def test_nothing_is_noticed_afterwards(tmp_path: Path) -> None:
    with WATCH.on_this_thread():
        pass
    os.listdir(tmp_path)
    assert WATCH.seen == []
