"""What is noted of coarser series, and how their rows get there once."""

import sqlite3
from collections.abc import Iterator

import pytest
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS
from hel_actor.series import downsampling, journal
from hel_actor.series.downsampling import Rule, Wanted
from hel_actor.series.journal import Appended, Batch, Quota, Series
from hel_actor.series.series import MAX_NS, MIN_NS

from loki.errors import InvalidArgument, LokiError, ResourceLimitExceeded

QUOTA = Quota(20, 16)
MINUTES = Wanted("minutes", 60, "mean")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS)
    connection.execute("BEGIN")
    yield connection
    connection.close()


def known(db: sqlite3.Connection, name: str) -> Series:
    found = journal.find(db, "tool", name)
    assert found is not None
    return found


def declared(db: sqlite3.Connection, name: str, wanted: Wanted) -> Rule:
    result = downsampling.declare(db, "tool", name, wanted, QUOTA)
    assert isinstance(result, Rule)
    return result


def refused(db: sqlite3.Connection, name: str, wanted: Wanted) -> LokiError:
    names = journal.names(db, "tool")
    result = downsampling.declare(db, "tool", name, wanted, QUOTA)
    assert isinstance(result, LokiError)
    assert journal.names(db, "tool") == names, "it made a series all the same"
    return result


def times(db: sqlite3.Connection, name: str) -> list[int]:
    from tests.unit.children.hel_actor.series_world import ALL

    return [row[1] for row in journal.waiting(db, known(db, name), ALL)]


def test_a_rule_makes_both_series_and_is_listed(db: sqlite3.Connection) -> None:
    rule = declared(db, "seconds", MINUTES)
    hours = declared(db, "seconds", Wanted("hours", 3600, "p95"))
    assert journal.names(db, "tool") == ("hours", "minutes", "seconds")
    assert rule == Rule(known(db, "seconds").id, known(db, "minutes").id, 60, "mean", MIN_NS)
    assert downsampling.rules(db, rule.source) == (rule, hours)
    assert downsampling.sources(db) == (rule.source,)


def test_a_rule_that_is_declared_again_has_come_as_far_as_it_had(db: sqlite3.Connection) -> None:
    rule = declared(db, "seconds", MINUTES)
    downsampling.carry_out(db, rule, [(60, 1.0, 0)], 420)
    assert declared(db, "seconds", MINUTES).done_ns == 420
    assert declared(db, "seconds", Wanted("minutes", 100, "max")) == Rule(
        rule.source, rule.target, 100, "max", 500
    )


def test_a_rule_goes_on_at_the_end_of_all_time_at_most(db: sqlite3.Connection) -> None:
    rule = declared(db, "seconds", MINUTES)
    downsampling.carry_out(db, rule, [], 8 * 10**18)
    assert declared(db, "seconds", Wanted("minutes", 5 * 10**18, "max")).done_ns == MAX_NS
    appended = journal.append(db, "tool", "seconds", Batch([(1, 1.0, 0)]), QUOTA)
    assert isinstance(appended, Appended)
    assert (appended.due_ns, appended.done_ns) == (MAX_NS, MAX_NS)


def test_series_made_of_each_other_are_refused(db: sqlite3.Connection) -> None:
    declared(db, "a", Wanted("b", 60, "mean"))
    declared(db, "b", Wanted("c", 3600, "mean"))
    for name, into, reason in (
        ("c", "a", "'c' is made of 'a', in the end"),
        ("b", "a", "'b' is made of 'a', in the end"),
        ("a", "a", "'a' cannot be made of itself"),
        ("x", "b", "'b' is made of 'a' already"),
    ):
        error = refused(db, name, Wanted(into, 60, "mean"))
        assert isinstance(error, InvalidArgument)
        assert error.message == reason
        assert error.details["field"] == "into"


def test_there_are_not_too_many(db: sqlite3.Connection) -> None:
    for n in range(downsampling.MOST_RULES):
        declared(db, "a", Wanted(f"b{n}", 60, "mean"))
    assert isinstance(refused(db, "a", Wanted("b", 60, "mean")), ResourceLimitExceeded)
    assert declared(db, "a", Wanted("b0", 70, "mean")).every_ns == 70
    result = downsampling.declare(db, "tool", "x", Wanted("y", 1, "sum"), Quota(10, 16))
    assert isinstance(result, ResourceLimitExceeded), "'x' would fit, 'y' no more"
    assert "x" not in journal.names(db, "tool")


def test_a_rule_that_ends_leaves_its_rows(db: sqlite3.Connection) -> None:
    rule = declared(db, "a", MINUTES)
    downsampling.carry_out(db, rule, [(0, 1.0, 0)], 60)
    assert downsampling.end(db, "tool", "a", "minutes")
    assert not downsampling.end(db, "tool", "a", "minutes")
    assert not downsampling.end(db, "tool", "a", "nothing")
    assert downsampling.rules(db, rule.source) == ()
    assert times(db, "minutes") == [0]


def test_rows_get_there_once(db: sqlite3.Connection) -> None:
    rule = declared(db, "a", MINUTES)
    rows = [(0, 1.0, 0), (60, 2.0, 0)]
    appended = downsampling.carry_out(db, rule, rows, 120)
    assert appended == Appended(rule.target, 2, 0, 2, 16)
    assert downsampling.carry_out(db, rule, rows, 120) is None
    assert times(db, "minutes") == [0, 60]
    (now,) = downsampling.rules(db, rule.source)
    assert now.done_ns == 120


def test_what_was_computed_for_another_rule_is_left(db: sqlite3.Connection) -> None:
    rule = declared(db, "a", MINUTES)
    declared(db, "a", Wanted("minutes", 60, "max"))
    assert downsampling.carry_out(db, rule, [(0, 1.0, 0)], 60) is None
    downsampling.end(db, "tool", "a", "minutes")
    assert downsampling.carry_out(db, rule, [(0, 1.0, 0)], 60) is None
    assert times(db, "minutes") == []


def test_a_target_that_takes_no_more_lets_the_rule_wait(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = declared(db, "a", MINUTES)
    monkeypatch.setattr(journal, "most_waiting", lambda chunk_rows: 1)
    result = downsampling.carry_out(db, rule, [(0, 1.0, 0), (60, 1.0, 0)], 120)
    assert isinstance(result, ResourceLimitExceeded)
    assert downsampling.rules(db, rule.source) == (rule,)


def test_the_source_knows_how_far_all_have_come(db: sqlite3.Connection) -> None:
    rule = declared(db, "a", MINUTES)
    assert downsampling.done_ns(db, rule.source) == MIN_NS
    downsampling.carry_out(db, rule, [], 600)
    other = declared(db, "a", Wanted("hours", 3600, "mean"))
    assert downsampling.done_ns(db, rule.source) == MIN_NS
    downsampling.carry_out(db, other, [], 300)
    assert downsampling.done_ns(db, rule.source) == 300
    assert downsampling.done_ns(db, rule.target) == MAX_NS, "nothing is made of it"


def test_an_append_tells_when_the_next_window_is_complete(db: sqlite3.Connection) -> None:
    rule = declared(db, "a", MINUTES)
    downsampling.carry_out(db, rule, [], 600)
    appended = journal.append(db, "tool", "a", Batch([(610, 1.0, 0)]), QUOTA)
    assert isinstance(appended, Appended)
    assert appended.due_ns == 660
    other = journal.append(db, "tool", "minutes", Batch([(610, 1.0, 0)]), QUOTA)
    assert isinstance(other, Appended)
    assert other.due_ns is None
