"""Appends that are sent again are done once, and what is remembered of them is bounded."""

import sqlite3
from random import Random

import pytest
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS
from hel_actor.series import journal, sequence
from hel_actor.series.journal import Appended, Batch, Quota
from hel_actor.series.sequence import COUNT

from loki.errors import InvalidArgument, ResourceLimitExceeded

QUOTA = Quota(series=2, chunk_rows=4)


def append(
    db: sqlite3.Connection, *times: int, name: str = "t", sequence: int | None = None
) -> object:
    batch = Batch([(time, time / 2, 0) for time in times], sequence)
    return journal.append(db, "tool", name, batch, QUOTA)


def known(db: sqlite3.Connection, name: str = "t") -> journal.Series:
    found = journal.find(db, "tool", name)
    assert found is not None
    return found


def test_a_sequence_is_appended_once_in_any_order(db: sqlite3.Connection) -> None:
    answers = [append(db, n, sequence=n) for n in (2, 1, 2, 3, 1)]
    assert [a.rows for a in answers if isinstance(a, Appended)] == [1, 1, 0, 1, 0]
    assert known(db).waiting == 3


def remembered(db: sqlite3.Connection, name: str = "t") -> list[int]:
    rows = db.execute(
        "SELECT sequence FROM series_sequence WHERE series = ? ORDER BY sequence",
        (known(db, name).id,),
    )
    return [row[0] for row in rows]


def test_old_sequences_are_forgotten_and_refused(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "KEPT", 2)
    for n in (10, 20, 30, 40):
        append(db, n, sequence=n)
    assert remembered(db) == [10, 20, 30, 40]
    assert append(db, 5, sequence=50) == Appended(1, 1, 4, 5, 4)
    assert remembered(db) == [40, 50]
    refused = append(db, 1, sequence=30)
    assert isinstance(refused, InvalidArgument)
    assert "too old to tell" in refused.message
    assert append(db, 1, sequence=40) == Appended(1, 0, 5, 5, 4)
    assert append(db, 35, sequence=35) == Appended(1, 1, 5, 6, 4)


def test_what_a_full_journal_refuses_is_not_remembered_and_what_it_has_is(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "most_waiting", lambda chunk_rows: chunk_rows)
    assert append(db, 1, 2, 3, 4, sequence=7) == Appended(1, 4, 0, 4, 4)
    for _ in range(2):
        assert append(db, 1, 2, 3, 4, sequence=7) == Appended(1, 0, 4, 4, 4)
        assert isinstance(append(db, 5, sequence=8), ResourceLimitExceeded)
        assert isinstance(append(db, 5), ResourceLimitExceeded)
    assert (remembered(db), known(db).sequences, known(db).waiting) == ([7], 1, 4)
    journal.shed(db, 1, 2, 1)  # There is room again.
    assert append(db, 5, sequence=8) == Appended(1, 1, 3, 4, 4)
    assert append(db, 5, sequence=8) == Appended(1, 0, 4, 4, 4)
    assert (remembered(db), known(db).sequences) == ([7, 8], 2)


@pytest.mark.parametrize("full", [True, False])
def test_one_that_is_too_old_is_told_so_however_full_the_journal_is(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    monkeypatch.setattr(sequence, "KEPT", 2)
    for n in (10, 20, 30, 40, 50):
        append(db, n, sequence=n)
    if full:
        monkeypatch.setattr(journal, "most_waiting", lambda chunk_rows: chunk_rows)
    assert isinstance(append(db, 1, sequence=30), InvalidArgument)


@pytest.mark.parametrize("rows", [(), (1,)])
def test_no_more_than_twice_the_promised_sequences_are_kept(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, rows: tuple[int, ...]
) -> None:
    """Whether rows come with them or not, whatever fails or is sent again, and for each series."""
    monkeypatch.setattr(sequence, "KEPT", 8)
    dice = Random(5)
    sent: dict[str, set[int]] = {"t": set(), "u": set()}
    for n in range(400):
        name, number = dice.choice("tu"), n * 1000 + dice.randrange(5000)
        db.execute("BEGIN")
        append(db, *rows, name=name, sequence=number)
        db.execute("ROLLBACK")
        for _ in range(2):
            assert isinstance(append(db, *rows, name=name, sequence=number), Appended)
        sent[name].add(number)
        kept = remembered(db, name)
        assert len(kept) <= 16
        assert kept[-8:] == sorted(sent[name])[-8:], "the highest ones are always known"
    assert known(db).waiting == len(rows) * len(sent["t"])


def test_a_file_of_an_older_version_counts_what_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequence, "KEPT", 8)
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, MIGRATIONS[: MIGRATIONS.index(COUNT)])
    for name in "tu":
        db.execute(
            "INSERT INTO series (namespace, name, mark, chunk_rows) VALUES ('tool', ?, '', 4)",
            (name,),
        )
    db.executemany("INSERT INTO series_sequence VALUES (1, ?)", ((n,) for n in range(500)))
    migrate(db, MIGRATIONS)
    assert (known(db).sequences, known(db, "u").sequences) == (500, 0)
    append(db, sequence=500)
    assert remembered(db) == list(range(493, 501))
    assert (known(db).sequences, known(db).sequence_floor) == (8, 492)
    db.close()
