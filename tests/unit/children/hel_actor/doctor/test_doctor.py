"""The doctor on real data: beside a Hel that runs, after its end, and on all kinds of damage."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hel_actor.config import HelConfig
from hel_actor.doctor.doctor import examine
from hel_actor.messages import ReadSeries

from loki.child import Need
from tests.unit.children.hel_actor.calling import Start
from tests.unit.children.hel_actor.restoring import SMALL, WHO, change, files, fill
from tests.unit.children.hel_actor.strange import STRANGE, fifo

Damage = Callable[[Path], object]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hel_actor.doctor.doctor.PAUSE_S", 0.0)


def silent(_: str) -> None:
    """No progress is of interest."""


def told(state: Path, *, deep: bool = True) -> list[tuple[Need, str, str]]:
    """What is not well: who mends it, subject and text."""
    config = HelConfig().model_dump(mode="json") | {"state_dir": str(state)}
    before = files(state)
    found = examine(msgspec.msgpack.encode(config), deep, silent)
    assert files(state) == before
    return [(e.need, e.subject, e.text) for e in found if e.need is not Need.NOBODY]


@pytest.fixture
def state(start: Start) -> Path:
    """Of a Hel that has ended."""
    bench = start(**SMALL)
    fill(bench)
    change(bench)
    bench.close()
    path: Path = bench.state_dir
    return path


def test_beside_a_hel_that_runs_all_is_well(start: Start) -> None:
    bench = start(**SMALL)
    for _ in range(2):
        fill(bench) if not (bench.state_dir / "series").exists() else change(bench)
        config = HelConfig().model_dump(mode="json") | {"state_dir": str(bench.state_dir)}
        found = examine(msgspec.msgpack.encode(config), False, silent)
        assert [each for each in found if each.need is not Need.NOBODY] == []
        assert {"hel.sqlite", "history", "series", "files/tool"} <= {each.subject for each in found}


def test_after_its_end_all_is_well_and_nothing_is_made(state: Path) -> None:
    assert told(state) == []
    assert told(state, deep=False) == []


def test_a_device_that_never_ran_has_nothing(tmp_path: Path) -> None:
    assert told(tmp_path / "nowhere") == []
    assert told(tmp_path) == []


def sql(*statements: str) -> Damage:
    def change_it(state: Path) -> None:
        with closing(sqlite3.connect(state / "hel.sqlite", isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return change_it


def series(path: str) -> Callable[[Path], Path]:
    return lambda state: state / "series/tool/t" / path


def overwrite(state: Path) -> None:
    size = (state / "hel.sqlite").stat().st_size
    with (state / "hel.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


def decided(state: Path) -> None:
    (state / ".restore").mkdir()
    (state / ".restore/plan.json").write_text('{"id": "1", "aside": "before"}')


def move_to_other_name(state: Path) -> None:
    shutil.copytree(state / "series/tool/t", state / "series/tool/other")


@pytest.mark.parametrize(
    ("damage", "need", "subject", "text"),
    [
        (overwrite, Need.PERSON, "hel.sqlite", "cannot be read|is damaged"),
        (
            lambda state: (state / "hel.sqlite").write_bytes(b"SELECT" * 900),
            Need.PERSON,
            "hel.sqlite",
            "cannot be read: file is not a database",
        ),
        (sql("PRAGMA user_version = 99"), Need.PERSON, "hel.sqlite", "a newer Loki wrote it"),
        (sql("PRAGMA user_version = 2"), Need.ITSELF, "hel.sqlite", "schema 2"),
        (sql("CREATE TABLE more (a)"), Need.PERSON, "hel.sqlite", "not those of Loki"),
        (
            sql("UPDATE keyvalue SET value = x'c1' WHERE key = CAST('k' AS BLOB)"),
            Need.PERSON,
            "hel.sqlite",
            "1 rows cannot be read: value b'k' of tool",
        ),
        (
            sql("UPDATE keyvalue SET value = x'810101' WHERE key = CAST('k' AS BLOB)"),
            Need.PERSON,
            "hel.sqlite",
            "1 rows cannot be read: value b'k' of tool",
        ),
        (
            sql("UPDATE keyvalue SET key = x'c3' WHERE key = CAST('k' AS BLOB)"),
            Need.PERSON,
            "hel.sqlite",
            r"1 rows cannot be read: key b'\\xc3' of tool",
        ),
        (
            sql("UPDATE keyvalue SET key = 'k' WHERE key = CAST('k' AS BLOB)"),
            Need.PERSON,
            "hel.sqlite",
            "1 rows cannot be read: key b'k' of tool",
        ),
        (
            sql("INSERT INTO script VALUES ('six', 'r1', 'me', 1)"),
            Need.PERSON,
            "script six",
            "revision r1 is missing",
        ),
        (
            sql("UPDATE usage SET keyvalue_bytes = 987654321"),
            Need.ITSELF,
            "usage of tool",
            "987,654,321 bytes of values are counted, and there are ",
        ),
        (
            lambda state: series("value/c/1")(state).unlink(),
            Need.PERSON,
            "series/tool/t",
            "1 chunks miss files: 1",
        ),
        (
            lambda state: os.truncate(series("time/c/2")(state), 5),
            Need.PERSON,
            "series/tool/t",
            "1 chunks are not as long as they were written: 2",
        ),
        (
            lambda state: series("time/c/77")(state).write_bytes(b"x"),
            Need.ITSELF,
            "series/tool/t",
            "1 files of chunks that never came to be",
        ),
        (
            lambda state: series("value/c/.3.partial")(state).write_bytes(b"x"),
            Need.ITSELF,
            "series/tool/t",
            "1 unfinished files",
        ),
        (
            lambda state: series("zarr.json")(state).unlink(),
            Need.ITSELF,
            "series/tool/t",
            "do not say whose they are",
        ),
        (
            lambda state: shutil.rmtree(series("")(state)),
            Need.PERSON,
            "series/tool/t",
            "its files are gone, with . chunks",
        ),
        (
            sql(
                "UPDATE series_row SET value = 'abc' WHERE row = (SELECT max(row) FROM series_row)"
            ),
            Need.PERSON,
            "series/tool/t",
            "1 rows that wait for files are damaged: row [0-9]+ of [0-9T:-]+Z",
        ),
        (
            sql("INSERT OR REPLACE INTO series_attributes SELECT id, '{' FROM series"),
            Need.PERSON,
            "series/tool/t",
            "its attributes are damaged",
        ),
        (sql("UPDATE series SET mark = 'x'"), Need.PERSON, "series/tool/t", "of another series"),
        (move_to_other_name, Need.PERSON, "series/tool/other", "the database has no such series"),
        (
            lambda state: (state / "files/tool/link").symlink_to("/etc/passwd"),
            Need.PERSON,
            "files/tool/link",
            "is a symbolic link",
        ),
        (
            lambda state: os.mkfifo(state / "files/tool/fifo"),
            Need.PERSON,
            "files/tool/fifo",
            "is a FIFO",
        ),
        (
            lambda state: (state / "files/tool/second").hardlink_to(state / "lock"),
            Need.PERSON,
            "files/tool/second",
            "more than one hard link",
        ),
        (
            lambda state: (state / "files/stray").write_bytes(b""),
            Need.PERSON,
            "files/stray",
            "outside of every script's folder",
        ),
        (
            lambda state: (state / "files/.unfinished/x").write_bytes(b""),
            Need.ITSELF,
            "files/.unfinished",
            "1 unfinished files: 'x'",
        ),
        (
            lambda state: (state / "hel.sqlite.damaged-1").write_bytes(b""),
            Need.PERSON,
            "hel.sqlite.damaged-1",
            "kept aside",
        ),
        (
            lambda state: (state / "before-restore-20010909T014640.000000Z").mkdir(),
            Need.HINT,
            "before-restore-20010909T014640.000000Z",
            "the data before a restore, 0.0 MB, [0-9]{4,} days old",
        ),
        (decided, Need.ITSELF, ".restore", "interrupted"),
        (
            lambda state: (state / ".restore").mkdir(),
            Need.PERSON,
            ".restore",
            "cannot be brought to its end: No such file",
        ),
        (lambda state: (state / ".backup").mkdir(), Need.ITSELF, ".backup", "a backup"),
    ],
)
def test_damage_is_told_once_and_left_as_it_is(
    state: Path, damage: Damage, need: Need, subject: str, text: str
) -> None:
    import re

    (state / "lock").write_bytes(b"1")
    damage(state)
    ((found_need, found_subject, found_text),) = told(state)
    assert (found_need, found_subject) == (need, subject)
    assert re.search(text, found_text)


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(
    ("name", "subject", "text"),
    [
        ("hel.sqlite", "hel.sqlite", "cannot be read: hel.sqlite is a .*, not a plain file"),
        ("hel.sqlite-wal", "hel.sqlite", "cannot be read: hel.sqlite-wal is a"),
        ("hel.sqlite-journal", "hel.sqlite", "cannot be read: hel.sqlite-journal is a"),
        ("series/tool/t/zarr.json", "series/tool/t/zarr.json", "is a "),
        ("series/tool/t/value/c/1", "series/tool/t/value/c/1", "is a "),
        (".restore/plan.json", ".restore", r"its end: plan\.json is a .*, not a plain file"),
    ],
)
def test_a_stranger_is_told_and_nobody_waits_for_it(
    state: Path, strange: Damage, name: str, subject: str, text: str
) -> None:
    import re

    (state / ".restore").mkdir() if subject == ".restore" else None
    strange(state / name)
    found = [e for e in told(state) if e[0] is Need.PERSON and e[1] == subject]
    assert len(found) == 1
    assert re.search(text, found[0][2])


@pytest.mark.parametrize("strange", [fifo, Path.touch])
@pytest.mark.parametrize(
    ("name", "text"),
    [("files", "scripts have no files"), ("series", ", not a folder"), ("files/.unfinished", "no")],
)
def test_what_is_no_folder_is_told(state: Path, strange: Damage, name: str, text: str) -> None:
    (state / name).rename(state / "elsewhere")
    strange(state / name)
    found = [e for e in told(state) if e[0] is Need.PERSON and e[1] == name]
    assert len(found) == 1
    assert text in found[0][2]


def test_a_damaged_name_of_a_script_is_told_and_hides_nothing_else(state: Path) -> None:
    sql("UPDATE keyvalue SET namespace = CAST(x'c3' AS TEXT) WHERE key = CAST('k' AS BLOB)")(state)
    (state / "files/stray").write_bytes(b"")
    found = {(subject, text) for _, subject, text in told(state)}
    assert ("hel.sqlite", r"1 rows cannot be read: key b'k' of \xc3") in found
    assert {"files/stray", "usage of tool"} <= {subject for subject, _ in found}


def test_what_mends_itself_is_well_after_the_next_start(start: Start, state: Path) -> None:
    series("time/c/77")(state).write_bytes(b"x")
    series("value/c/.3.partial")(state).write_bytes(b"x")
    (state / "files/.unfinished/x").write_bytes(b"")
    (state / ".backup").mkdir()
    (state / ".restore.partial").mkdir()
    sql("UPDATE usage SET series_bytes = -1")(state)
    assert {need for need, _, _ in told(state)} == {Need.ITSELF}
    bench: Any = start(**SMALL)
    bench.call(ReadSeries(name="t"), WHO)
    bench.close()
    assert told(state) == []


def test_what_is_gone_at_the_second_look_is_no_finding(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of a Hel that runs has its files before the database speaks of them."""
    from hel_actor.doctor import observation

    stray = series("time/c/77")(state)
    stray.write_bytes(b"x")
    look = observation.leftovers

    def look_and_mend(folder: Path) -> Any:
        found = look(folder)
        stray.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(observation, "leftovers", look_and_mend)
    config = HelConfig().model_dump(mode="json") | {"state_dir": str(state)}
    found = examine(msgspec.msgpack.encode(config), False, silent)
    assert [each for each in found if each.need is not Need.NOBODY] == []
