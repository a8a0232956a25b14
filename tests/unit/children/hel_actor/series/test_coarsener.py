"""Coarser series: complete windows, each once, whatever fails or comes late."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hel_actor.series import coarsener, downsampling, journal
from hel_actor.series.coarsener import Coarsener
from hel_actor.series.downsampling import Rule, Wanted
from hel_actor.series.journal import Appended, Quota
from hel_actor.series.reading import Reading

from loki.errors import IoError
from tests.unit.children.hel_actor.failing import FailingDisk, Failure
from tests.unit.children.hel_actor.series_world import (
    ALL,
    CHUNK_ROWS,
    KEEP_ALL,
    LOG,
    WINDOW_NS,
    World,
    answer,
    tried,
)

EVERY_NS = 1000  # A microsecond: no window is shorter.


def declare(
    world: World, into: str = "c", every_ns: int = EVERY_NS, statistic: str = "sum"
) -> Rule:
    wanted, quota = Wanted(into, every_ns, statistic), Quota(10, CHUNK_ROWS)
    result = world.database.submit(
        lambda db: downsampling.declare(db, "tool", "t", wanted, quota)
    ).result(20)
    assert isinstance(result, Rule)
    return result


def coarsen(world: World, source: int = 1) -> list[tuple[int, int]]:
    """Rows that each step gave, and the time of its last one."""
    told: list[tuple[int, int]] = []

    def appended(result: Appended, newest_ns: int) -> None:
        told.append((result.rows, newest_ns))

    coarsener = Coarsener(world.store, world.grow, WINDOW_NS, world.clock, LOG)
    answer(coarsener.coarsen(source, appended))
    return told


def rows_of(world: World, name: str = "c") -> list[tuple[int, float]]:
    found = answer(world.queries.read("tool", name, Reading(ALL)))
    return list(zip(found.times.tolist(), found.values.tolist(), strict=True))


def sums(times: Sequence[int], until: int, every_ns: int = EVERY_NS) -> list[tuple[int, float]]:
    """What should be there; a row's value is a quarter of its time."""
    starts = sorted({time // every_ns * every_ns for time in times if time < until})
    return [
        (start, sum(time / 4 for time in times if start <= time < start + every_ns))
        for start in starts
        if start + every_ns <= until
    ]


def highest(times: Sequence[int], until: int) -> list[tuple[int, float]]:
    """As `sums`, of numbers that are exact however large the times are."""
    starts = sorted({time // EVERY_NS * EVERY_NS for time in times})
    return [
        (start, max(time / 4 for time in times if start <= time < start + EVERY_NS))
        for start in starts
        if start + EVERY_NS <= until
    ]


def test_complete_windows_become_rows(world: World) -> None:
    times = range(0, 5000, 100)
    world.append(times)
    declare(world)
    assert coarsen(world) == [(4, 3000)]
    assert rows_of(world) == sums(times, 4000)
    assert coarsen(world) == []
    world.append([5009])
    assert coarsen(world) == []
    world.append([5010])  # No row before 5000 may come any more.
    assert coarsen(world) == [(1, 4000)]
    assert rows_of(world) == sums(times, 5000)


def test_windows_over_files_and_journal_and_late_rows(world: World) -> None:
    declare(world)
    times = [*range(0, 3000, 50), *range(3000, 1, -7)]
    for start in range(0, len(times), 40):
        world.append(times[start : start + 40])
        world.checkpoint()
    coarsen(world)
    assert rows_of(world) == sums(times, 2000)
    world.append([500])  # Too late: the number that is there stays.
    world.append([9000])
    coarsen(world)
    assert rows_of(world)[:2] == sums(times, 2000)
    assert len(rows_of(world)) == 4


def test_a_gap_takes_no_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coarsener, "AT_ONCE", 3)
    year = 365 * 86400 * 10**9
    times = [*range(0, 9000, 500), *range(year, year + 2000, 500), 2 * year]
    world.append(times)
    declare(world)
    assert [count for count, _ in coarsen(world)] == [3, 3, 3, 2]
    assert rows_of(world) == sums(times, 2 * year)


def test_several_coarser_series_of_one_and_one_of_those(world: World) -> None:
    times = range(0, 20_000, 100)
    world.append(times)
    declare(world)
    declare(world, "d", 5 * EVERY_NS, "max")
    coarsen(world)
    assert rows_of(world) == sums(times, 19_000)
    assert rows_of(world, "d") == [(n * 5000, (n * 5000 + 4900) / 4) for n in range(3)]
    wanted = Wanted("e", 5 * EVERY_NS, "sum")
    rule = world.database.submit(
        lambda db: downsampling.declare(db, "tool", "c", wanted, Quota(10, CHUNK_ROWS))
    ).result(20)
    assert isinstance(rule, Rule)
    coarsen(world, rule.source)
    assert rows_of(world, "e") == sums(times, 15_000, 5000)


JUMP_S = 24 * 365 * 86400


@pytest.mark.parametrize("filed", [False, True])
def test_rows_of_the_future_complete_no_window(world: World, filed: bool) -> None:
    declare(world, statistic="max")
    now_ns = world.clock.now_ns()
    ahead = [now_ns + 86_000 * 10**9 + n for n in range(CHUNK_ROWS if filed else 1)]
    ahead += [ahead[-1] + 2 * WINDOW_NS] if filed else []
    times: list[int] = []
    for start in range(now_ns - 9000, now_ns, 1000):
        rows = range(start, start + 1000, 100)
        times += rows
        world.append(rows)
        if start == now_ns - 6000:
            world.append(ahead)
            world.checkpoint()
        coarsen(world)
    end_ns = (times[-1] - WINDOW_NS) // EVERY_NS * EVERY_NS
    assert rows_of(world) == highest(times, end_ns)
    world.clock.turn(90_000)
    world.append([world.clock.now_ns()])
    coarsen(world)
    assert rows_of(world) == highest([*times, *ahead], world.clock.now_ns() - EVERY_NS)


@pytest.mark.parametrize("jump_s", [2.5e-6, 3600.0, JUMP_S])
def test_a_clock_that_came_back_loses_no_later_window_and_doubles_none(
    world: World, jump_s: float
) -> None:
    """The window in which it jumped keeps the number that it got then."""
    declare(world, statistic="max")
    now_ns = world.clock.now_ns()
    assert now_ns % EVERY_NS == 0
    before = range(now_ns - 5000, now_ns, 100)
    world.append(before)
    coarsen(world)
    world.clock.turn(jump_s)
    ahead = range(world.clock.now_ns() - 2000, world.clock.now_ns(), 100)
    world.append(ahead)
    coarsen(world)
    assert done(world) > now_ns
    world.clock.turn(-jump_s)
    after = []
    for _ in range(6):
        world.clock.turn(1e-6)
        rows = range(world.clock.now_ns() - 1000, world.clock.now_ns(), 100)
        after += rows
        world.append(rows)
        coarsen(world)
    found = rows_of(world)
    starts = [start for start, _ in found]
    assert starts == sorted(set(starts))
    assert {start for start, _ in highest(after, now_ns + 5000)} <= set(starts)
    if jump_s > 1:
        assert highest([*before, *after], now_ns + 5000) == found[: len(found) - 1]


def test_a_clock_that_was_never_set_bounds_nothing(world: World) -> None:
    declare(world, statistic="max")
    world.clock.turn(-world.clock.now_ns() / 1e9)
    times = range(10**18, 10**18 + 5000, 100)
    world.append(times)
    coarsen(world)
    world.append([10**18 + 9000])
    coarsen(world)
    assert rows_of(world) == highest(times, 10**18 + 8000)


def done(world: World) -> int:
    return world.database.submit(lambda db: downsampling.done_ns(db, 1)).result(20)


def test_an_empty_source_and_one_without_a_rule_need_nothing(world: World) -> None:
    declare(world)
    assert coarsen(world) == []
    world.append(range(0, 5000, 100), "u")
    assert coarsen(world, journal_id(world, "u")) == []


def journal_id(world: World, name: str) -> int:
    found = world.database.submit(lambda db: journal.find(db, "tool", name)).result(20)
    assert found is not None
    return found.id


@pytest.mark.parametrize("kept", [False, True])
def test_an_answer_that_got_lost_makes_no_row_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """As after a kill before the transaction, or just behind it."""
    times = range(0, 5000, 100)
    world.append(times)
    declare(world)

    def submit(_: str, __: int, perform: object) -> "Future[object]":
        if kept:
            world.database.submit(perform).result(20)  # type: ignore[arg-type]
        lost: Future[object] = Future()
        lost.set_exception(IoError("the answer got lost"))
        return lost

    failing = Coarsener(world.store, submit, WINDOW_NS, world.clock, LOG)  # type: ignore[arg-type]
    with pytest.raises(IoError, match="got lost"):
        answer(failing.coarsen(1, lambda *_: None))
    assert rows_of(world) == (sums(times, 4000) if kept else [])
    world.restart()
    coarsen(world)
    assert rows_of(world) == sums(times, 4000)


def test_retention_waits_for_the_coarser_series_up_to_a_bound(world: World) -> None:
    world.retention = replace(KEEP_ALL, rows=64)
    world.restart()
    rule = declare(world)

    def dropped() -> int:
        return world.database.submit(lambda db: journal.by_id(db, rule.source).dropped).result(20)

    every = range(0, 25_000, 250)
    for start in range(0, 72, 8):
        world.append(every[start : start + 8])
        world.checkpoint()
    assert dropped() == 0
    coarsen(world)
    world.append(every[72:])
    world.checkpoint()
    coarsen(world)
    assert dropped() > 0
    assert rows_of(world) == sums(every, 24_000)
    there = dropped()
    for start in range(25_000, 65_000, 2000):  # Nothing is carried out any more.
        world.append(range(start, start + 2000, 250))
        world.checkpoint()
    assert dropped() > there, "it fills the disk"


@pytest.mark.parametrize(
    ("how", "killed"), [(Failure.BEFORE, True), (Failure.HALF, True), (Failure.AFTER, False)]
)
def test_every_window_is_there_once_whichever_operation_fails(
    in_memory: Path, worker: ThreadPoolExecutor, how: Failure, killed: bool
) -> None:
    n = 0
    disk = FailingDisk(0)
    times = range(0, 15_000, 250)
    while disk.fired:
        n += 1
        disk = FailingDisk(n, how)
        world = World(in_memory / str(n), worker)
        world.retention = replace(KEEP_ALL, rows=48)
        world.restart(disk)
        rule = declare(world)
        for start in (0, 30):
            world.append(times[start : start + 30])
            tried(disk, partial(world.store.checkpoint, rule.source))
            if killed:
                world.restart(disk)
            tried(disk, partial(coarsen, world))
        coarsen(world)
        assert rows_of(world) == sums(times, 14_000), n
        world.close()
    assert n > 40
