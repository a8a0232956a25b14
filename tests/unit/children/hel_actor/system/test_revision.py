"""Registered scripts in the real tables: which revision is current, and which are kept."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.migration import MIGRATIONS, migrate
from hel_actor.system import revision

from loki.errors import ErrorCode, InvalidArgument
from loki.messages.envelope import Failure
from loki.messages.registry import DropScript, KeepScript, ReadRevisions, StoredScript


@pytest.fixture
def tables() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened, MIGRATIONS)
        yield opened


def keep(
    tables: sqlite3.Connection,
    new: str,
    expected: str = "",
    *,
    name: str = "mine",
    content: bytes = b"content",
    most: int = 100,
    principal: str = "ann",
    time_ns: int = 1,
    most_scripts: int = 0,
) -> Failure | None:
    stored = StoredScript(name=name, revision=new, content=content)
    request = KeepScript(
        script=stored,
        expected=expected,
        principal=principal,
        time_ns=time_ns,
        most_scripts=most_scripts,
    )
    return revision.keep(tables, request, most)


def drop(
    tables: sqlite3.Connection,
    expected: str,
    name: str = "mine",
    *,
    time_ns: int = 2,
    most: int = 100,
) -> Failure | None:
    request = DropScript(name=name, expected=expected, principal="ann", time_ns=time_ns)
    return revision.drop(tables, request, most)


def test_a_principal_has_so_many_scripts_and_no_more(tables: sqlite3.Connection) -> None:
    for name in ("a", "b"):
        assert keep(tables, "1", name=name, most_scripts=2) is None
    refused = keep(tables, "1", name="c", most_scripts=2)
    assert refused is not None
    assert (refused.code, refused.details) == (
        ErrorCode.QUOTA,
        {"principal": "ann", "quota": "scripts"},
    )
    assert revision.current_of(tables, "c") == ""
    assert keep(tables, "2", "1", name="a", most_scripts=2) is None
    assert keep(tables, "1", name="c", principal="ben", most_scripts=2) is None
    assert keep(tables, "1", name="d") is None
    for name, held in (("a", "2"), ("d", "1")):
        assert drop(tables, held, name) is None
    assert keep(tables, "1", name="e", most_scripts=2) is None


def listed(tables: sqlite3.Connection, name: str = "mine") -> list[tuple[str, bool]]:
    page = revision.page_of(tables, ReadRevisions(name=name), revision.checked_page(""))
    return [(each.revision, each.current) for each in page.revisions]


@pytest.mark.parametrize(
    ("steps", "current", "revisions"),
    [
        ("a", "a", "a"),
        ("a b", "b", "ba"),
        ("a b a", "a", "ba"),  # Of old: it becomes current, and its row stays where it is.
        ("a a", "a", "a"),
        ("a -", "", "a"),
        ("a - a", "a", "a"),
        ("a b - c", "c", "cba"),
    ],
)
def test_the_last_one_kept_is_current_and_none_has_two_rows(
    tables: sqlite3.Connection, steps: str, current: str, revisions: str
) -> None:
    now = ""
    for step in steps.split():
        refused = drop(tables, now) if step == "-" else keep(tables, step, now)
        assert refused is None
        now = "" if step == "-" else step
    assert revision.current_of(tables, "mine") == current
    assert listed(tables) == [(each, each == current) for each in revisions]


@pytest.mark.parametrize(
    ("steps", "expected", "said"),
    [
        ("", "a", "is not registered any more"),
        ("a", "", "has revision a now"),
        ("a", "b", "has revision a now"),
        ("a -", "a", "is not registered any more"),
    ],
)
def test_a_change_that_expects_something_else_changes_nothing(
    tables: sqlite3.Connection, steps: str, expected: str, said: str
) -> None:
    for step in steps.split():
        drop(tables, "a") if step == "-" else keep(tables, step)
    before = listed(tables)
    for refused in (keep(tables, "z", expected), drop(tables, expected)):
        assert refused is not None
        assert refused.code is ErrorCode.REVISION_CONFLICT
        assert said in refused.message
        assert refused.details == {
            "script": "mine",
            "revision": revision.current_of(tables, "mine"),
        }
    assert listed(tables) == before


def test_who_registered_a_revision_first_stays_and_its_words_are_the_newest(
    tables: sqlite3.Connection,
) -> None:
    keep(tables, "a", content=b"first words", principal="ann", time_ns=10)
    keep(tables, "a", "a", content=b"better words", principal="bob", time_ns=20)
    page = revision.page_of(tables, ReadRevisions(name="mine"), revision.checked_page(""))
    (only,) = page.revisions
    assert (only.principal, only.registered_ns) == ("ann", 10)
    stored = revision.read_one(tables, "mine", "a")
    assert isinstance(stored, StoredScript)
    assert stored.content == b"better words"


def test_the_newest_are_kept_and_the_current_one_in_any_case(tables: sqlite3.Connection) -> None:
    keep(tables, "other", name="other")
    for number in range(6):
        keep(tables, f"r{number}", f"r{number - 1}" if number else "", most=3)
    assert listed(tables) == [("r5", True), ("r4", False), ("r3", False)]
    keep(tables, "r3", "r5", most=3)
    keep(tables, "r3", "r3", most=2)
    assert listed(tables) == [("r5", False), ("r4", False), ("r3", True)]
    keep(tables, "r6", "r3", most=1)
    assert listed(tables) == [("r6", True)]
    assert listed(tables, "other") == [("other", True)]


def test_all_that_are_registered_come_by_name_in_parts_that_fit(
    tables: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("c", "a", "gone", "b"):
        keep(tables, "old", name=name)
        keep(tables, f"{name}1", "old", name=name, content=bytes(10))
    drop(tables, "gone1", "gone")
    whole = revision.read_all(tables, "")
    assert [(s.name, s.revision) for s in whole.scripts] == [("a", "a1"), ("b", "b1"), ("c", "c1")]
    assert whole.next_page == ""

    monkeypatch.setattr(revision, "PAGE_BYTES", 25)
    first = revision.read_all(tables, "")
    assert ([s.name for s in first.scripts], first.next_page) == (["a", "b"], "b")
    rest = revision.read_all(tables, first.next_page)
    assert ([s.name for s in rest.scripts], rest.next_page) == (["c"], "")

    monkeypatch.setattr(revision, "PAGE_BYTES", 1)  # One that is larger comes alone.
    assert [s.name for s in revision.read_all(tables, "a").scripts] == ["b"]


def test_a_page_of_revisions_begins_where_the_one_before_ended(tables: sqlite3.Connection) -> None:
    for number in range(5):
        keep(tables, f"r{number}", f"r{number - 1}" if number else "")
    seen, page = [], ""
    while True:
        request = ReadRevisions(name="mine", page_size=2, page=page)
        part = revision.page_of(tables, request, revision.checked_page(page))
        seen.append([each.revision for each in part.revisions])
        if not (page := part.next_page):
            break
    assert seen == [["r4", "r3"], ["r2", "r1"], ["r0"]]


@pytest.mark.parametrize("page", ["x", "-1", "1.5", "٣", "9" * 30])
def test_a_page_that_no_list_gave_is_refused(page: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        revision.checked_page(page)


def test_a_revision_that_is_not_kept_is_named(tables: sqlite3.Connection) -> None:
    keep(tables, "a")
    for name, wanted in (("mine", "b"), ("yours", "a")):
        missing = revision.read_one(tables, name, wanted)
        assert isinstance(missing, Failure)
        assert missing.code is ErrorCode.SCRIPT_NOT_FOUND
        assert f"no revision {wanted} of a script '{name}'" in missing.message


def test_of_removed_scripts_the_newest_revisions_stay(tables: sqlite3.Connection) -> None:
    def kept() -> list[tuple[str, str]]:
        return tables.execute("SELECT name, revision FROM script_revision ORDER BY id").fetchall()

    keep(tables, "1", name="used")
    for name, removed_ns in (("a", 30), ("b", 20), ("c", 40)):
        keep(tables, "1", name=name)
        keep(tables, "2", "1", name=name)
        assert drop(tables, "2", name, time_ns=removed_ns, most=3) is None
    assert kept() == [("used", "1"), ("a", "2"), ("c", "1"), ("c", "2")]
    names = [name for (name,) in tables.execute("SELECT name FROM script ORDER BY name")]
    assert names == ["a", "c", "used"]
    assert keep(tables, "1", name="b") is None  # As one that was never there.
