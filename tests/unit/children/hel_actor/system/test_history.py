"""The tables of the history: what comes, what goes, and what is found."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS
from hel_actor.system import history
from hel_actor.system.history import Bounds, Stock

from loki.messages.archive import SESSION_BITS, Kept, ListKept
from loki.messages.history import ExecutionState

BEGIN_NS = 1_700_000_000 * 10**9
AHEAD_NS = 24 * 365 * 86400 * 10**9 + BEGIN_NS
NOTHING = Stock(0, 0)
WIDE = Bounds(rows=10_000, age_ns=10_000, result_bytes=10_000)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened, MIGRATIONS)
        yield opened


def row(number: int, cause: str = "finished", **fields: object) -> Kept:
    known: dict[str, object] = {
        "id": f"id{number}",
        "script": "average",
        "principal": "local",
        "revision": "r1",
        "submitted_ns": number,
        "started_ns": number,
        "ended_ns": BEGIN_NS + number if cause else 0,
        "attempts": 1,
        "runner_pid": 17,
        "complete": True,
        "end": b"end",
    }
    return Kept(**known | fields | {"number": number, "cause": cause})  # type: ignore[arg-type]  # See there.


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT number FROM execution ORDER BY number")]


def listed(connection: sqlite3.Connection, **asked: object) -> list[int]:
    given = {"script": "*", "state": None, "below": 10**9, "size": 100} | asked
    request = ListKept(**given)  # type: ignore[arg-type]  # The test names them.
    return list(history.look(connection, request, request.below, request.size).numbers)


# What comes.


@pytest.mark.parametrize("kept", [row(1), row(2, ""), row(3, end=b"short", result=b"x" * 5000)])
def test_what_is_kept_is_found(connection: sqlite3.Connection, kept: Kept) -> None:
    history.keep(connection, [row(9), kept], NOTHING)
    found = history.find(connection, kept.id)
    assert found == kept
    assert history.find(connection, "nosuch") is None


def test_the_end_joins_what_was_kept_of_the_beginning(connection: sqlite3.Connection) -> None:
    begun = row(1, "", revision="", started_ns=0, attempts=0, runner_pid=0, end=b"")
    before = history.keep(connection, [begun], NOTHING)
    ended = row(1, result=b"x" * 100)
    after = history.keep(connection, [ended, row(2)], before)
    assert history.find(connection, "id1") == ended
    assert (before, after) == (Stock(1, 0), Stock(2, 100))
    again = history.keep(connection, [ended, row(2)], after)  # Its answer was late.
    assert again == after == history.stock(connection)


def test_what_an_earlier_session_left_without_an_end_is_interrupted(
    connection: sqlite3.Connection,
) -> None:
    old, new = 1 << SESSION_BITS, 2 << SESSION_BITS
    kept = [row(old + 1), row(old + 2, ""), row(new + 1, "")]
    history.keep(connection, kept, NOTHING)
    assert history.newest_session(connection) == 2
    history.interrupt(connection, 2, now_ns=77)
    found = [history.find(connection, each.id) for each in kept]
    assert [(each.cause, each.ended_ns) for each in found if each] == [
        ("finished", BEGIN_NS + old + 1),
        ("interrupted", 77),
        ("", 0),
    ]


def test_an_empty_history_has_no_session_and_no_beginning(connection: sqlite3.Connection) -> None:
    assert history.newest_session(connection) == 0
    assert history.begins_ns(connection) == 0
    assert history.stock(connection) == NOTHING


# What goes.


@pytest.mark.parametrize(
    ("bounds", "now_ns", "left"),
    [
        ({}, 10, [1, 2, 3, 4, 5]),
        ({"rows": 5}, 10, [1, 2, 3, 4, 5]),
        ({"rows": 2}, 10, [1, 5]),  # 1 still runs.
        ({"age_ns": 7}, 10, [1, 3, 4, 5]),
        ({"age_ns": 7, "rows": 3}, 10, [1, 4, 5]),
        ({"age_ns": 1}, 100, [1]),
        ({"age_ns": 1}, -100, [1, 2, 3, 4, 5]),
    ],
)
def test_the_oldest_that_ended_go_first(
    connection: sqlite3.Connection, bounds: dict[str, int], now_ns: int, left: list[int]
) -> None:
    kept = [row(1, ""), *(row(n) for n in range(2, 6))]
    before = history.keep(connection, kept, NOTHING)
    after = history.trim(connection, before, replace(WIDE, **bounds), BEGIN_NS + now_ns)
    assert numbers(connection) == left
    assert after == history.stock(connection)


@pytest.mark.parametrize(
    ("ended_ns", "left"),
    [
        ([10, 20, BEGIN_NS + 90], [1, 2, 3]),  # Nobody knows how old 1 and 2 are.
        ([10, 20, BEGIN_NS + 9], []),
        ([BEGIN_NS + 9, 20, BEGIN_NS + 90], [2, 3]),
        ([BEGIN_NS + 90, BEGIN_NS + 9, BEGIN_NS + 9], [1, 2, 3]),  # The clock was set back.
        # It was years ahead: how old that is nobody knows, but not younger than what came next.
        ([AHEAD_NS, BEGIN_NS + 9, BEGIN_NS + 90], [3]),
        ([BEGIN_NS + 9, AHEAD_NS, BEGIN_NS + 90], [2, 3]),
        ([BEGIN_NS + 9, AHEAD_NS, 20, BEGIN_NS + 49], []),
        ([BEGIN_NS + 9, AHEAD_NS], [2]),
        ([AHEAD_NS], [1]),
    ],
)
def test_a_clock_that_is_set_late_or_was_ahead_makes_nothing_old(
    connection: sqlite3.Connection, ended_ns: list[int], left: list[int]
) -> None:
    kept = [row(n, ended_ns=ns) for n, ns in enumerate(ended_ns, 1)]
    before = history.keep(connection, kept, NOTHING)
    history.trim(connection, before, replace(WIDE, age_ns=50), BEGIN_NS + 100)
    assert numbers(connection) == left


def test_more_without_a_known_age_than_go_at_once_hold_up_nothing(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP", 4)
    ended_ns = [AHEAD_NS] * 6 + [20] * 3 + [BEGIN_NS + 9, BEGIN_NS + 90]
    kept = [row(n, ended_ns=ns) for n, ns in enumerate(ended_ns, 1)]
    stock, left = history.keep(connection, kept, NOTHING), []
    for _ in range(4):
        stock = history.trim(connection, stock, replace(WIDE, age_ns=50), BEGIN_NS + 100)
        left.append(len(numbers(connection)))
    assert left == [7, 3, 1, 1]


@pytest.mark.parametrize(
    ("bounds", "left"),
    [
        ({"result_bytes": 900}, [1, 2, 3]),
        ({"result_bytes": 899}, [2, 3]),
        ({"result_bytes": 301}, [3]),
        ({"result_bytes": 1}, []),
        ({"rows": 2}, [2, 3]),
    ],
)
def test_of_long_results_the_oldest_go_and_their_executions_stay(
    connection: sqlite3.Connection, bounds: dict[str, int], left: list[int]
) -> None:
    kept = [row(n, complete=False, end=b"short", result=b"x" * 300) for n in (1, 2, 3)]
    before = history.keep(connection, kept, NOTHING)
    after = history.trim(connection, before, replace(WIDE, **bounds), BEGIN_NS + 10)
    found = [history.find(connection, each.id) for each in kept]
    assert [each.number for each in found if each and each.complete and each.result] == left
    assert all(each.complete is bool(each.result) for each in found if each)
    assert after == history.stock(connection)
    assert numbers(connection) == ([2, 3] if "rows" in bounds else [1, 2, 3])


def test_what_is_much_too_much_goes_in_steps(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP", 4)
    now = history.keep(connection, [row(n) for n in range(1, 12)], NOTHING)
    left = []
    while (after := history.trim(connection, now, replace(WIDE, rows=1), BEGIN_NS + 10)) != now:
        left.append(after.rows)
        now = after
    assert left == [7, 3, 1]
    assert numbers(connection) == [11]


# What is found.


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [6, 5, 3, 2, 1]),  # 4 has not ended.
        ({"size": 2}, [6, 5]),
        ({"below": 5}, [3, 2, 1]),
        ({"script": "av*"}, [6, 2, 1]),
        ({"script": "[!a]*"}, [5, 3]),
        ({"state": ExecutionState.FINISHED}, [6, 3, 1]),
        ({"state": ExecutionState.FAILED}, [5, 2]),
        ({"script": "other", "state": ExecutionState.FAILED, "below": 5}, []),
        ({"among": ("x", "oth*")}, [5, 3]),
        ({"script": "other", "among": ("average",)}, []),
    ],
)
def test_script_and_state_choose_the_newest(
    connection: sqlite3.Connection, asked: dict[str, object], found: list[int]
) -> None:
    kept = [
        row(1),
        row(2, "time"),
        row(3, script="other"),
        row(4, ""),
        row(5, "interrupted", script="other"),
        row(6),
    ]
    history.keep(connection, kept, NOTHING)
    assert listed(connection, **asked) == found


def test_a_search_goes_on_where_its_last_step_ended(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOK", 3)
    kept = [row(n, script="rare" if n in (1, 8) else "average") for n in range(1, 10)]
    history.keep(connection, kept, NOTHING)
    request = ListKept(script="rare", state=None, below=100, size=5)
    steps = []
    below = 100
    while below:
        seen = history.look(connection, request, below, 6)
        steps.append(seen.numbers)
        below = seen.below
    assert steps == [(8,), (), (1,), ()]


def test_a_page_is_read_newest_first_without_results_and_fits_a_message(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [row(n, complete=False, end=b"e" * 10, result=b"x" * 300) for n in (1, 2, 3)]
    history.keep(connection, kept, NOTHING)
    found = history.read(connection, (3, 2, 1))
    assert [(each.number, each.complete, each.result) for each in found] == [
        (3, True, b""),
        (2, True, b""),
        (1, True, b""),
    ]
    monkeypatch.setattr(history, "PAGE_BYTES", 15)
    assert [each.number for each in history.read(connection, (3, 2, 1))] == [3, 2]
    assert history.read(connection, ()) == ()
