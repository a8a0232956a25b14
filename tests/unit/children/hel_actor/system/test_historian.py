"""The history as the Dispatcher asks for it, on a real database."""

import sqlite3
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest
from hel_actor.system import history
from msgspec.structs import replace

from loki.errors import IoError
from loki.messages.archive import (
    SESSION_BITS,
    ArchiveOpened,
    FindKept,
    KeepExecutions,
    Kept,
    ListKept,
    OpenArchive,
)
from loki.messages.envelope import Done
from tests.unit.children.hel_actor.calling import Start

BEGIN_NS = 1_700_000_000 * 10**9
TIDY_S = 3600.0


def serve(bench: Any, request: Any) -> Any:
    answer = bench.hel.services()[type(request)](request)
    return answer.result(timeout=20) if isinstance(answer, Future) else answer


def opened(bench: Any, now_ns: int = 50) -> int:
    reply = serve(bench, OpenArchive(now_ns=now_ns))
    assert isinstance(reply, ArchiveOpened)
    return reply.session


def row(session: int, count: int, cause: str = "finished", **fields: Any) -> Kept:
    known = {
        "script": "average",
        "principal": "local",
        "revision": "r1",
        "submitted_ns": count,
        "started_ns": count,
        "ended_ns": 0,
        "attempts": 1,
        "runner_pid": 17,
        "complete": True,
        "end": b"end",
    }
    number = (session << SESSION_BITS) + count
    return Kept(**known | fields, number=number, id=f"{session}-{count}", cause=cause)


def keep(bench: Any, session: int, *rows: Kept, now_ns: int = 60) -> None:
    request = KeepExecutions(session=session, now_ns=now_ns, executions=rows)
    assert serve(bench, request) == Done()


def listed(bench: Any, **asked: Any) -> tuple[list[str], bool]:
    given = {"script": "*", "state": None, "below": 2**63 - 1, "size": 100} | asked
    reply = serve(bench, ListKept(**given))
    return [each.id for each in reply.executions], reply.more


def causes(bench: Any, *runs: str) -> list[str | None]:
    found = [serve(bench, FindKept(run=run)).execution for run in runs]
    return [each and each.cause for each in found]


def test_the_history_outlives_hel_and_a_run_without_an_end_was_interrupted(start: Start) -> None:
    bench = start()
    assert opened(bench) == 1
    keep(bench, 1, row(1, 1), row(1, 2, ""))
    bench.close()
    bench = start()
    assert causes(bench, "1-1", "1-2") == ["finished", ""]
    assert opened(bench, now_ns=70) == 2
    assert causes(bench, "1-1", "1-2") == ["finished", "interrupted"]
    assert serve(bench, FindKept(run="1-2")).execution.ended_ns == 70
    assert listed(bench) == (["1-2", "1-1"], False)


def test_each_dispatcher_has_a_session_of_its_own(start: Start) -> None:
    bench = start()
    assert [opened(bench), opened(bench)] == [1, 2]  # Though the first left nothing.
    keep(bench, 2, row(2, 1))
    bench.close()
    assert opened(start()) == 3


def test_a_late_word_of_a_dispatcher_that_died_is_its_last(start: Start) -> None:
    bench = start()
    opened(bench)
    opened(bench)
    keep(bench, 2, row(2, 1, ""))
    keep(bench, 1, row(1, 1), row(1, 2, ""))
    assert causes(bench, "1-1", "1-2", "2-1") == ["finished", "interrupted", ""]


def test_a_session_goes_on_where_hel_died(start: Start) -> None:
    opened(start())
    bench = start()
    keep(bench, 1, row(1, 1, ""))
    keep(bench, 1, row(1, 2))
    assert causes(bench, "1-1", "1-2") == ["", "finished"]


def test_who_is_unknown_is_told_when_the_oldest_was_submitted(start: Start) -> None:
    bench = start()
    assert serve(bench, FindKept(run="x")).begins_ns == 0
    keep(bench, 1, row(1, 5), row(1, 6))
    found = serve(bench, FindKept(run="x"))
    assert (found.execution, found.begins_ns) == (None, 5)


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"history_rows": 2}, ["1-4", "1-3"]),
        ({"history_days": 1}, ["1-4", "1-3", "1-2"]),
        ({}, ["1-4", "1-3", "1-2", "1-1"]),
    ],
)
def test_each_batch_makes_room_for_itself(
    start: Start, settings: dict[str, int], left: list[str]
) -> None:
    bench = start(**settings)
    hour_ns = 3600 * 10**9
    bench.shell.clock.advance(26 * 3600)
    for count, hours in enumerate((1, 3, 4, 5), 1):
        ended_ns = BEGIN_NS + hours * hour_ns
        keep(bench, 1, row(1, count, ended_ns=ended_ns), now_ns=BEGIN_NS + 26 * hour_ns)
    assert listed(bench)[0] == left


def test_of_long_results_no_more_than_history_mb_are_kept(start: Start) -> None:
    bench = start(history_mb=1)
    for count in (1, 2, 3):
        keep(bench, 1, row(1, count, complete=False, result=b"x" * 400_000))
    found = [serve(bench, FindKept(run=f"1-{count}")).execution for count in (1, 2, 3)]
    assert [(each.complete, len(each.result)) for each in found] == [
        (False, 0),
        (True, 400_000),
        (True, 400_000),
    ]


def test_what_gets_too_old_goes_where_nothing_comes_too(start: Start) -> None:
    bench = start(history_days=1)
    opened(bench)
    now_ns = bench.shell.clock.now_ns()
    keep(bench, 1, row(1, 1, ended_ns=now_ns), now_ns=now_ns)
    (timer,) = (each for each in bench.shell.timers if each.delay_s == TIDY_S)
    timer.action()
    assert listed(bench)[0] == ["1-1"]
    bench.shell.clock.advance(86_400 + 1)
    timer = bench.shell.timers.pop()
    timer.action()
    assert listed(bench)[0] == []


def test_a_clock_that_jumps_makes_nothing_old(start: Start) -> None:
    bench = start(history_days=1)
    opened(bench)
    clock, years_s = bench.shell.clock, 24 * 365 * 86400
    for count in range(1, 5):
        keep(bench, 1, row(1, count, ended_ns=clock.now_ns()))
    clock.advance(7200)
    clock.turn(years_s)
    for count in range(5, 7):
        keep(bench, 1, row(1, count, ended_ns=clock.now_ns()))
    bench.shell.timers.pop().action()
    assert len(listed(bench)[0]) == 6
    clock.turn(-years_s)
    keep(bench, 1, row(1, 7, ended_ns=clock.now_ns()))
    assert len(listed(bench)[0]) == 7
    clock.advance(86_400 - 3600)
    bench.shell.timers.pop().action()
    assert listed(bench)[0] == ["1-7", "1-6", "1-5"]


def test_a_smaller_bound_is_met_step_by_step(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    keep(bench, 1, *(row(1, count) for count in range(1, 30)))
    bench.close()
    monkeypatch.setattr(history, "STEP", 4)
    bench = start(history_rows=3)
    opened(bench)
    steps = 0
    while len(listed(bench)[0]) > 3:
        steps += 1
        assert steps < 100
    assert listed(bench)[0] == ["1-29", "1-28", "1-27"]


def test_a_search_that_finds_little_looks_at_all_in_steps(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOK", 4)
    bench = start()
    rare = {1, 15, 28}
    names = {True: "rare", False: "average"}
    keep(bench, 1, *(row(1, n, script=names[n in rare]) for n in range(1, 30)))
    assert listed(bench, script="rare") == (["1-28", "1-15", "1-1"], False)
    assert listed(bench, script="rare", size=2) == (["1-28", "1-15"], True)
    below = (1 << SESSION_BITS) + 15
    assert listed(bench, script="rare", size=2, below=below) == (["1-1"], False)
    assert listed(bench, script="none") == ([], False)


def crowded(bench: Any, *requests: KeepExecutions) -> list[Any]:
    """The promises of batches that share a transaction, and share it with nobody else."""
    for promise in bench.shell.minded:
        promise.result(timeout=20)
    gate = Event()
    bench.shell.workers["database"].submit(gate.wait)
    promises = [bench.hel.services()[KeepExecutions](request) for request in requests]
    gate.set()
    return promises


def batch(*rows: Kept) -> KeepExecutions:
    return KeepExecutions(session=1, now_ns=0, executions=rows)


def test_what_fails_changes_nothing_and_is_counted_anew(start: Start) -> None:
    """Both batches share a transaction; the first one is performed once more."""
    bench = start(history_rows=2)
    keep(bench, 1, row(1, 1))
    too_large = replace(row(1, 3), attempts=2**64)
    first, second = crowded(bench, batch(row(1, 2)), batch(row(1, 5), too_large))
    assert first.result(timeout=20)
    with pytest.raises(OverflowError):
        second.result(timeout=20)
    assert listed(bench)[0] == ["1-2", "1-1"]
    keep(bench, 1, row(1, 4))
    assert listed(bench)[0] == ["1-4", "1-2"]


def test_what_is_done_once_more_on_a_full_disk_is_counted_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch finds the disk full; the first is done again, without it."""
    bench = start(history_rows=2)
    keep(bench, 1, row(1, 1))
    really_keep = history.keep

    def full_for_large(database: Any, executions: Any, before: history.Stock) -> history.Stock:
        if executions[0].id == "1-3":
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return really_keep(database, executions, before)

    monkeypatch.setattr(history, "keep", full_for_large)
    small, large = crowded(bench, batch(row(1, 2)), batch(row(1, 3)))
    assert small.result(timeout=20) == Done()
    with pytest.raises(IoError, match="disk is full"):
        large.result(timeout=20)
    assert listed(bench)[0] == ["1-2", "1-1"]
    monkeypatch.undo()
    keep(bench, 1, row(1, 4))
    assert listed(bench)[0] == ["1-4", "1-2"]
