"""The list of all series, from the database alone."""

import json
import sqlite3

import pytest
from hel_actor.series import catalogue, journal
from hel_actor.series.catalogue import Entry
from hel_actor.series.journal import Batch, Quota
from hel_actor.series.series import Chunk

QUOTA = Quota(10, 4)
START = ("", "")


def fill(db: sqlite3.Connection, namespace: str, name: str, times: range) -> journal.Series:
    journal.append(db, namespace, name, Batch([(time, 0.0, 0) for time in times]), QUOTA)
    found = journal.find(db, namespace, name)
    assert found is not None
    return found


def names(db: sqlite3.Connection, script: str = "*", name: str = "*") -> list[str]:
    entries, following = catalogue.page(db, script, name, START, 100)
    assert following is None
    return [f"{each.namespace}/{each.name}" for each in entries]


def test_an_entry_counts_files_and_journal(db: sqlite3.Connection) -> None:
    series = fill(db, "tool", "t", range(10, 20))
    written = (Chunk(0, 10, 13, 50), Chunk(1, 14, 17, 60))
    journal.commit(db, series, written, (17, 7), 9)
    journal.describe(db, "tool", "t", json.dumps({"unit": "V"}), QUOTA)
    late = fill(db, "tool", "t", range(3, 4))
    assert catalogue.entry(db, late) == Entry("tool", "t", 11, 3, 19, 110, '{"unit": "V"}')


def test_an_empty_series_has_no_times(db: sqlite3.Connection) -> None:
    assert catalogue.entry(db, fill(db, "a", "b", range(0))) == Entry(
        "a", "b", 0, None, None, 0, "{}"
    )


def test_globs_choose_among_scripts_and_names(db: sqlite3.Connection) -> None:
    for place in ("b/x", "a/y", "a/x", "-adhoc/x"):
        fill(db, *place.split("/"), range(1))
    assert names(db) == ["-adhoc/x", "a/x", "a/y", "b/x"]
    assert names(db, script="[ab]") == ["a/x", "a/y", "b/x"]
    assert names(db, name="y") == ["a/y"]
    assert names(db, script="c") == []


def test_a_page_is_shorter_where_attributes_are_long(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        fill(db, "s", f"n{number}", range(1))
        journal.describe(db, "s", f"n{number}", json.dumps({"a": "x" * 4000}), QUOTA)
    one = catalogue.ENTRY_BYTES + catalogue.GROWTH * 4009
    for room, sizes in ((2 * one, [2, 2, 1]), (2 * one - 1, [1] * 5), (1, [1] * 5), (9 * one, [5])):
        monkeypatch.setattr(catalogue, "PAGE_BYTES", room)
        found, after, pages = [], START, []
        while after is not None:
            entries, after = catalogue.page(db, "*", "*", after, 100)
            found += [each.name for each in entries]
            pages.append(len(entries))
        assert found == [f"n{number}" for number in range(5)]
        assert pages == sizes


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 9])
def test_pages_follow_each_other_without_a_hole(db: sqlite3.Connection, size: int) -> None:
    for number in range(6):
        fill(db, f"s{number // 2}", f"n{number}", range(1))
    found, after, pages = [], START, 0
    while after is not None:
        entries, after = catalogue.page(db, "*", "*", after, size)
        found += [each.name for each in entries]
        pages += 1
    assert found == [f"n{number}" for number in range(6)]
    assert pages == -(-6 // size)
