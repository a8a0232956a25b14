"""The watch itself sees what it is there for."""

import os
import sqlite3
from pathlib import Path

from tests.contract.watch import WATCH


def test_what_may_block_is_noticed(tmp_path: Path) -> None:
    with WATCH.on_this_thread():
        (tmp_path / "x").write_text("x")
        os.listdir(tmp_path)
        sqlite3.connect(tmp_path / "y").close()
    assert {each.partition("(")[0] for each in WATCH.seen} >= {
        "open",
        "os.listdir",
        "sqlite3.connect",
    }
