"""Which database files from elsewhere become Hel's, and what is wrong with the others."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hel_actor.database.migration import migrate, version_of
from hel_actor.plain_file import NotPlain
from hel_actor.schema import MIGRATIONS
from hel_actor.soundness import bring_forward

from tests.unit.children.hel_actor.strange import STRANGE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hel.sqlite"


def make(path: Path, *statements: str, migrations: int | None = None) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        if migrations != 0:
            migrate(connection, MIGRATIONS[:migrations])
            connection.execute("INSERT INTO keyvalue VALUES ('tool', x'6b', x'01')")
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("suffix", ["", "-journal", "-wal", "-shm"])
def test_sqlite_opens_nothing_that_is_no_plain_file(
    path: Path, strange: Callable[[Path], None], suffix: str
) -> None:
    make(path)
    strange(path.with_name(f"{path.name}{suffix}"))
    with pytest.raises(NotPlain, match=f"sqlite{suffix} is a .*, not a plain file"):
        bring_forward(path)


@pytest.mark.parametrize("migrations", range(len(MIGRATIONS) + 1))
def test_an_older_one_is_brought_forward_into_one_file(path: Path, migrations: int) -> None:
    assert bring_forward(make(path, migrations=migrations)) == ""
    assert [each.name for each in path.parent.iterdir()] == ["hel.sqlite"]
    with closing(sqlite3.connect(path)) as connection:
        assert version_of(connection) == len(MIGRATIONS)
        assert len(connection.execute("SELECT * FROM keyvalue").fetchall()) == (migrations > 0)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ((f"PRAGMA user_version = {len(MIGRATIONS) + 1}",), "a newer Loki made it"),
        (("CREATE TABLE other (a)",), "not those of Loki"),
        (("DROP TABLE series_row",), "not those of Loki"),
        (("ALTER TABLE keyvalue ADD COLUMN more",), "not those of Loki"),
        (("CREATE VIEW v AS SELECT 1",), "has a view"),
        (
            ("CREATE TRIGGER t AFTER INSERT ON keyvalue BEGIN DELETE FROM series; END",),
            "has a trigger",
        ),
    ],
)
def test_strange_ones_are_refused(path: Path, statements: Sequence[str], reason: str) -> None:
    assert reason in bring_forward(make(path, *statements))


def test_a_damaged_one_is_refused(path: Path) -> None:
    make(
        path,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "INSERT INTO keyvalue SELECT 'tool', i, zeroblob(200) FROM n",
    )
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xaa" * 20_000)
    try:
        assert "damaged" in bring_forward(path)
    except sqlite3.DatabaseError as error:
        assert "malformed" in str(error)  # noqa: PT017  # Either is a refusal.


def test_what_is_no_database_at_all_is_an_error(path: Path) -> None:
    path.write_bytes(b"SELECT 1;" * 1000)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        bring_forward(path)
