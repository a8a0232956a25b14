"""Registered scripts in the real db: which revision is current, and which are kept."""

import sqlite3

import pytest
from hel_actor.system import revision

from loki.errors import ErrorCode, InvalidArgument
from loki.messages.envelope import Failure
from loki.messages.registry import DropScript, KeepScript, ReadRevisions, StoredScript


def keep(
    db: sqlite3.Connection,
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
    return revision.keep(db, request, most)


def drop(
    db: sqlite3.Connection,
    expected: str,
    name: str = "mine",
    *,
    time_ns: int = 2,
    most: int = 100,
) -> Failure | None:
    request = DropScript(name=name, expected=expected, principal="ann", time_ns=time_ns)
    return revision.drop(db, request, most)


def test_a_principal_has_so_many_scripts_and_no_more(db: sqlite3.Connection) -> None:
    for name in ("a", "b"):
        assert keep(db, "1", name=name, most_scripts=2) is None
    refused = keep(db, "1", name="c", most_scripts=2)
    assert refused is not None
    assert (refused.code, refused.details) == (
        ErrorCode.QUOTA,
        {"principal": "ann", "quota": "scripts"},
    )
    assert revision.current_of(db, "c") == ""
    assert keep(db, "2", "1", name="a", most_scripts=2) is None
    assert keep(db, "1", name="c", principal="ben", most_scripts=2) is None
    assert keep(db, "1", name="d") is None
    for name, held in (("a", "2"), ("d", "1")):
        assert drop(db, held, name) is None
    assert keep(db, "1", name="e", most_scripts=2) is None


def listed(db: sqlite3.Connection, name: str = "mine") -> list[tuple[str, bool]]:
    page = revision.page_of(db, ReadRevisions(name=name), revision.checked_page(""))
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
    db: sqlite3.Connection, steps: str, current: str, revisions: str
) -> None:
    now = ""
    for step in steps.split():
        refused = drop(db, now) if step == "-" else keep(db, step, now)
        assert refused is None
        now = "" if step == "-" else step
    assert revision.current_of(db, "mine") == current
    assert listed(db) == [(each, each == current) for each in revisions]


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
    db: sqlite3.Connection, steps: str, expected: str, said: str
) -> None:
    for step in steps.split():
        drop(db, "a") if step == "-" else keep(db, step)
    before = listed(db)
    for refused in (keep(db, "z", expected), drop(db, expected)):
        assert refused is not None
        assert refused.code is ErrorCode.REVISION_CONFLICT
        assert said in refused.message
        assert refused.details == {
            "script": "mine",
            "revision": revision.current_of(db, "mine"),
        }
    assert listed(db) == before


def test_who_registered_a_revision_first_stays_and_its_words_are_the_newest(
    db: sqlite3.Connection,
) -> None:
    keep(db, "a", content=b"first words", principal="ann", time_ns=10)
    keep(db, "a", "a", content=b"better words", principal="bob", time_ns=20)
    page = revision.page_of(db, ReadRevisions(name="mine"), revision.checked_page(""))
    (only,) = page.revisions
    assert (only.principal, only.registered_ns) == ("ann", 10)
    stored = revision.read_one(db, "mine", "a")
    assert isinstance(stored, StoredScript)
    assert stored.content == b"better words"


def test_the_newest_are_kept_and_the_current_one_in_any_case(db: sqlite3.Connection) -> None:
    keep(db, "other", name="other")
    for number in range(6):
        keep(db, f"r{number}", f"r{number - 1}" if number else "", most=3)
    assert listed(db) == [("r5", True), ("r4", False), ("r3", False)]
    keep(db, "r3", "r5", most=3)
    keep(db, "r3", "r3", most=2)
    assert listed(db) == [("r5", False), ("r4", False), ("r3", True)]
    keep(db, "r6", "r3", most=1)
    assert listed(db) == [("r6", True)]
    assert listed(db, "other") == [("other", True)]


def test_all_that_are_registered_come_by_name_in_parts_that_fit(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("c", "a", "gone", "b"):
        keep(db, "old", name=name)
        keep(db, f"{name}1", "old", name=name, content=bytes(10))
    drop(db, "gone1", "gone")
    whole = revision.read_all(db, "")
    assert [(s.name, s.revision) for s in whole.scripts] == [("a", "a1"), ("b", "b1"), ("c", "c1")]
    assert whole.next_page == ""

    monkeypatch.setattr(revision, "PAGE_BYTES", 25)
    first = revision.read_all(db, "")
    assert ([s.name for s in first.scripts], first.next_page) == (["a", "b"], "b")
    rest = revision.read_all(db, first.next_page)
    assert ([s.name for s in rest.scripts], rest.next_page) == (["c"], "")

    monkeypatch.setattr(revision, "PAGE_BYTES", 1)  # One that is larger comes alone.
    assert [s.name for s in revision.read_all(db, "a").scripts] == ["b"]


def test_a_page_of_revisions_begins_where_the_one_before_ended(db: sqlite3.Connection) -> None:
    for number in range(5):
        keep(db, f"r{number}", f"r{number - 1}" if number else "")
    seen, page = [], ""
    while True:
        request = ReadRevisions(name="mine", page_size=2, page=page)
        part = revision.page_of(db, request, revision.checked_page(page))
        seen.append([each.revision for each in part.revisions])
        if not (page := part.next_page):
            break
    assert seen == [["r4", "r3"], ["r2", "r1"], ["r0"]]


@pytest.mark.parametrize("page", ["x", "-1", "1.5", "٣", "9" * 30])
def test_a_page_that_no_list_gave_is_refused(page: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        revision.checked_page(page)


def test_a_revision_that_is_not_kept_is_named(db: sqlite3.Connection) -> None:
    keep(db, "a")
    for name, wanted in (("mine", "b"), ("yours", "a")):
        missing = revision.read_one(db, name, wanted)
        assert isinstance(missing, Failure)
        assert missing.code is ErrorCode.SCRIPT_NOT_FOUND
        assert f"no revision {wanted} of a script '{name}'" in missing.message


def test_of_removed_scripts_the_newest_revisions_stay(db: sqlite3.Connection) -> None:
    def kept() -> list[tuple[str, str]]:
        return db.execute("SELECT name, revision FROM script_revision ORDER BY id").fetchall()

    keep(db, "1", name="used")
    for name, removed_ns in (("a", 30), ("b", 20), ("c", 40)):
        keep(db, "1", name=name)
        keep(db, "2", "1", name=name)
        assert drop(db, "2", name, time_ns=removed_ns, most=3) is None
    assert kept() == [("used", "1"), ("a", "2"), ("c", "1"), ("c", "2")]
    names = [name for (name,) in db.execute("SELECT name FROM script ORDER BY name")]
    assert names == ["a", "c", "used"]
    assert keep(db, "1", name="b") is None  # As one that was never there.
