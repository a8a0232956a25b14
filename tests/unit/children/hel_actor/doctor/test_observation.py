"""What is seen of Hel's data, apart from what follows from it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hel_actor.backup.path import created
from hel_actor.backup.swap import ASIDE
from hel_actor.database.migration import migrate
from hel_actor.doctor.observation import MOST_ODD, database, groups, jail, leftovers
from hel_actor.schema import MIGRATIONS
from hel_actor.system.history import Bounds

BOUNDS = Bounds(10, 20, 30)


def test_a_database_in_use_is_seen_with_its_newest_rows(tmp_path: Path) -> None:
    path = tmp_path / "hel.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        migrate(writer, MIGRATIONS)
        writer.execute(
            "INSERT INTO series (namespace, name, mark, chunk_rows) VALUES ('a', 'b', 'm', 16)"
        )
        facts, series = database(path, BOUNDS, deep=False)
        assert (facts.error, facts.problems, facts.strange_tables) == ("", (), False)
        assert [(each.namespace, each.name, each.mark) for each in series] == [("a", "b", "m")]
        writer.execute("DELETE FROM series")  # Nobody holds a lock.
    assert database(path, BOUNDS, deep=True)[1] == ()
    assert [each.name for each in tmp_path.iterdir()] == ["hel.sqlite"]


def test_odd_things_are_counted_up_to_a_bound(tmp_path: Path) -> None:
    home = tmp_path / "tool"
    home.mkdir()
    for n in range(MOST_ODD + 5):
        (home / f"l{n}").symlink_to("x")
    (home / "plain").write_bytes(b"abc")
    facts = jail(tmp_path)
    assert (len(facts.odd), facts.size_bytes) == (MOST_ODD, {"tool": 3})


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert groups(tmp_path / "series") == {}
    assert jail(tmp_path / "files").size_bytes == {}
    assert leftovers(tmp_path).damaged == {}


def test_files_at_paths_too_long_for_the_kernel_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    path = "/".join(["tool", *["l" * 255] * 16, "file"])
    with os.fdopen(created(folder, path), "wb") as file:
        file.write(b"12345")
    assert jail(folder).size_bytes == {"tool": 5}
    folder.rename(tmp_path / "aside")
    (tmp_path / f"{ASIDE}x").mkdir()
    (tmp_path / "aside").rename(tmp_path / f"{ASIDE}x" / "files")
    assert [each.size_bytes for each in leftovers(tmp_path).before_restore] == [5]
