"""What each fact about Hel's data comes to: who mends it, and what a person is told."""

from dataclasses import replace
from typing import Any

import pytest
from hel_actor.doctor.diagnosis import (
    ARRAYS,
    Aside,
    DatabaseFacts,
    GroupFacts,
    HistoryFacts,
    JailFacts,
    Leftovers,
    RegisteredScript,
    SeriesFacts,
    of_database,
    of_jail,
    of_leftovers,
    of_odd,
    of_series,
)
from hel_actor.quota.recount import Counter, Miscount

from loki.child import Finding, Need

SOUND = DatabaseFacts(
    2_000_000,
    version=4,
    known_version=4,
    scripts=(
        RegisteredScript("six", "r1", 3, has_current=True),
        RegisteredScript("old", "", 1, False),
    ),
    history=HistoryFacts(5, 10, 100, 1000),
)
SERIES = SeriesFacts("tool", "t", "m1", 2, 5, {2: 30, 3: 30, 4: 30})
FILES = {array: {0: 10, 1: 10, 2: 10} for array in ARRAYS}
GROUP = GroupFacts("m1", 2, FILES)


def bad(findings: Any) -> list[tuple[Need, str]]:
    return [(each.need, each.text) for each in findings if each.need is not Need.NOBODY]


def test_a_sound_database_is_told_of() -> None:
    found = list(of_database(SOUND, has_series=True))
    assert bad(found) == []
    assert [(each.subject, each.text) for each in found] == [
        ("hel.sqlite", "2.0 MB, schema 4"),
        ("registered scripts", "1 (name, current revision, how many are kept): six (r1, 3)"),
        ("history", "5 executions of 10 at most, 0.0 MB of 0.0 MB of long results"),
    ]


@pytest.mark.parametrize(
    ("changes", "need", "text"),
    [
        (
            {"error": "file is not a database"},
            Need.PERSON,
            "cannot be read: file is not a database",
        ),
        ({"problems": tuple("abcdefg")}, Need.PERSON, "is damaged: a, b, c, d, e and 2 more"),
        (
            {"version": 5},
            Need.PERSON,
            "2.0 MB, schema 5; a newer Loki wrote it, and this one knows 4",
        ),
        ({"version": 3}, Need.ITSELF, "2.0 MB, schema 3"),
        ({"strange_tables": True}, Need.PERSON, "its tables are not those of Loki"),
        (
            {"undecodable": ("value b'k' of tool",)},
            Need.PERSON,
            "1 rows cannot be read: value b'k' of tool",
        ),
        (
            {"scripts": (RegisteredScript("six", "r1", 1, has_current=False),)},
            Need.PERSON,
            "its current revision r1 is missing: it is not served",
        ),
        (
            {"history": HistoryFacts(11, 10, 0, 1)},
            Need.ITSELF,
            "11 executions of 10 at most, 0.0 MB of 0.0 MB of long results",
        ),
    ],
)
def test_each_trouble_of_the_database(changes: Any, need: Need, text: str) -> None:
    found = list(of_database(replace(SOUND, **changes), has_series=True))
    assert bad(found) == [(need, text)]
    assert all(each.remedy for each in found if each.need is not Need.NOBODY)


def test_no_database_is_none_yet() -> None:
    assert bad(of_database(DatabaseFacts(exists=False), has_series=False)) == []


def test_a_database_that_is_missing_beside_series_is_a_loss() -> None:
    assert bad(of_database(DatabaseFacts(exists=False), has_series=True)) == [
        (Need.PERSON, "is missing, though series/ has data")
    ]


def test_a_sound_series_is_only_counted() -> None:
    assert list(of_series([SERIES], {("tool", "t"): GROUP})) == [
        Finding(Need.NOBODY, "series", "1 of them")
    ]
    waiting = SeriesFacts("tool", "w", "m2", 0, 0, {})  # Its rows are all in the database.
    assert bad(of_series([waiting], {})) == []


def without(array: str, number: int) -> dict[str, dict[int, int]]:
    return {a: {n: s for n, s in FILES[a].items() if (a, n) != (array, number)} for a in ARRAYS}


def with_one(array: str, number: int, size_bytes: int) -> dict[str, dict[int, int]]:
    return {a: FILES[a] | ({number: size_bytes} if a == array else {}) for a in ARRAYS}


def test_rows_that_wait_and_are_damaged_are_told_with_and_without_files() -> None:
    rows = tuple(f"row {number} of 2026" for number in range(7))
    series = replace(SERIES, dropped=5, unsound=rows)
    for groups in ({}, {("tool", "t"): replace(GROUP, first=5, size_bytes={})}):
        ((found, text),) = bad(of_series([series], groups))
        assert found is Need.PERSON
        assert text.startswith("7 rows that wait for files are damaged: row 0 of 2026, row 1")
        assert text.endswith("and 2 more")


@pytest.mark.parametrize(("waiting", "need"), [(15, Need.PERSON), (16, Need.ITSELF)])
def test_chunks_whose_rows_wait_are_what_a_kill_left_and_others_are_a_loss(
    waiting: int, need: Need
) -> None:
    series = replace(SERIES, chunk_rows=16, waiting=waiting)
    group = replace(GROUP, size_bytes={array: FILES[array] | {9: 10} for array in ARRAYS})
    ((found, text),) = bad(of_series([series], {("tool", "t"): group}))
    assert found is need
    assert ("newer than the database" in text) == (need is Need.PERSON)


@pytest.mark.parametrize(
    ("group", "need", "text"),
    [
        (None, Need.PERSON, "its files are gone, with 3 chunks of rows"),
        (replace(GROUP, partials=2), Need.ITSELF, "2 unfinished files"),
        (
            replace(GROUP, mark="m9"),
            Need.PERSON,
            "its files are of another series, and 3 chunks of its own are missing",
        ),
        (replace(GROUP, mark=None, first=None), Need.ITSELF, "its files do not say whose they are"),
        (
            replace(GROUP, first=3),
            Need.PERSON,
            "its files begin at chunk 3; the database is older, with 2",
        ),
        (
            replace(GROUP, first=1, size_bytes={a: {0: 9, 1: 10, 2: 10, 3: 10} for a in ARRAYS}),
            Need.ITSELF,
            "1 old chunks are forgotten, and still there",
        ),
        (replace(GROUP, size_bytes=without("value", 1)), Need.PERSON, "1 chunks miss files: 3"),
        (
            replace(GROUP, size_bytes=with_one("time", 2, 9)),
            Need.PERSON,
            "1 chunks are not as long as they were written: 4",
        ),
        (
            replace(GROUP, size_bytes=with_one("time", 3, 10)),
            Need.ITSELF,
            "1 files of chunks that never came to be, from 5 on",
        ),
    ],
)
def test_each_trouble_of_a_series(group: GroupFacts | None, need: Need, text: str) -> None:
    groups = {} if group is None else {("tool", "t"): group}
    assert bad(of_series([SERIES], groups)) == [(need, text)]


def test_counts_that_quotas_go_by() -> None:
    right = replace(SOUND, usage_bytes=(("b", 0), ("a", 2_000_000)))
    told = [(e.need, e.subject, e.text) for e in of_database(right, has_series=True)]
    text = "MB of values and series, counted anew and right"
    assert told[-3:-1] == [
        (Need.NOBODY, "usage of a", f"2.0 {text}"),
        (Need.NOBODY, "usage of b", f"0.0 {text}"),
    ]
    wrong = (
        Miscount("a", "", Counter.VALUES, 1000, 7),
        Miscount("a", "t", Counter.WAITING, 0, 5),
    )
    found = [e for e in of_database(replace(right, miscounts=wrong), has_series=True) if e.remedy]
    assert {e.need for e in found} == {Need.ITSELF}
    assert [(e.subject, e.text, e.remedy.split("; ")[1]) for e in found] == [
        (
            "usage of a",
            "1,000 bytes of values are counted, and there are 7",
            "until then writes may be refused too early",
        ),
        (
            "series a/t",
            "0 rows that wait for their files are counted, and there are 5",
            "until then rows may be taken beyond the limit",
        ),
    ]


def test_groups_that_no_series_has() -> None:
    groups = {("tool", "t"): GROUP, ("tool", "t~1"): GROUP, ("tool", "x"): GroupFacts(None, None)}
    assert bad(of_series([SERIES], groups)) == [
        (Need.PERSON, "was kept aside; it has 3 chunks"),
        (Need.PERSON, "the database has no such series; it has 0 chunks"),
    ]


def test_files_of_scripts() -> None:
    facts = JailFacts(
        {"b": 3_000_000, "a": 0}, (("a/link", "a symbolic link"),), unfinished=("'a'", "'b'")
    )
    assert [(each.need, each.subject, each.text) for each in of_jail(facts)] == [
        (Need.PERSON, "files/a/link", "is a symbolic link, which no script can use"),
        (Need.ITSELF, "files/.unfinished", "2 unfinished files: 'a', 'b'"),
        (Need.NOBODY, "files/a", "0.0 MB"),
        (Need.NOBODY, "files/b", "3.0 MB"),
    ]


def test_what_has_no_place_is_for_a_person() -> None:
    facts = JailFacts(closed={"": "is a FIFO, not a folder", ".unfinished": ""})
    odd = (("tool/t/zarr.json", "is a FIFO"), ("", "is a plain file"))
    assert [(e.need, e.subject, e.text) for e in (*of_jail(facts), *of_odd(odd))] == [
        (Need.PERSON, "files", "is a FIFO, not a folder: scripts have no files"),
        (Need.PERSON, "series/tool/t/zarr.json", "is a FIFO"),
        (Need.PERSON, "series", "is a plain file"),
    ]


def test_a_restore_that_cannot_go_on_is_not_said_to_mend_itself() -> None:
    (found,) = of_leftovers(Leftovers(restore_decided=True, restore_trouble="no such file"))
    assert (found.need, found.subject) == (Need.PERSON, ".restore")
    assert "cannot be brought to its end: no such file" in found.text


def test_what_lies_beside_the_data() -> None:
    assert list(of_leftovers(Leftovers())) == []
    facts = Leftovers(
        damaged={"hel.sqlite.damaged-1": 1},
        before_restore=(Aside("before-restore-1", "/s/before-restore-1", 2, None),),
        restore_decided=True,
        restore_undecided=True,
        backup=True,
        copy=True,
    )
    assert [(each.need, each.subject) for each in of_leftovers(facts)] == [
        (Need.PERSON, "hel.sqlite.damaged-1"),
        (Need.HINT, "before-restore-1"),
        (Need.ITSELF, ".restore"),
        (Need.ITSELF, ".restore.partial"),
        (Need.ITSELF, ".backup"),
        (Need.ITSELF, "hel.sqlite.copy"),
    ]


@pytest.mark.parametrize(
    ("age_days", "text"), [(None, ""), (0, ", of today"), (1, ", 1 day old"), (40, ", 40 days old")]
)
def test_what_a_restore_kept_is_a_hint_how_to_remove_it(age_days: int | None, text: str) -> None:
    aside = Aside("before-restore-1", "/my state/before-restore-1", 2_500_000, age_days)
    (found,) = of_leftovers(Leftovers(before_restore=(aside,)))
    assert found.text == f"the data before a restore, 2.5 MB{text}"
    assert found.remedy == "when nobody needs it: rm -r '/my state/before-restore-1'"
    assert found.need.is_well
