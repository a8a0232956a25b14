"""Queries over files and journal, block by block."""

from dataclasses import replace

import pytest
from hel_actor.series import journal, query, series
from hel_actor.series.journal import Batch, Quota
from hel_actor.series.query import Cursor, Queries
from hel_actor.series.reading import Reading
from hel_actor.series.series import S_NS, Span
from hel_actor.storage import Disk

from loki.errors import ErrorCode, IoError, ResourceLimitExceeded
from tests.unit.children.hel_actor.series_world import ALL, KEEP_ALL, World, answer


@pytest.mark.parametrize("limit", [1, 15, 16, 17, 40, 200])
def test_a_limit_leaves_the_first_or_the_last_rows(world: World, limit: int) -> None:
    world.append(range(100))
    world.checkpoint()
    assert world.times(limit=limit) == list(range(100))[:limit]
    assert world.times(limit=limit, newest=True) == list(range(100))[-limit:]
    assert world.times(Span(30, 70), limit=limit) == list(range(30, 70))[:limit]


def test_rows_of_one_time_keep_their_order(world: World) -> None:
    batch = Batch([(7, float(n), 0) for n in range(40)])
    world.database.submit(lambda db: journal.append(db, "tool", "t", batch, Quota(1, 16))).result()
    world.append(range(20, 30))
    world.checkpoint()
    rows = answer(Queries(world.store).read("tool", "t", Reading(Span(7, 8))))
    assert rows.values.tolist() == [float(n) for n in range(40)]
    results = [world.aggregate(Span(7, 8), f, None) for f in ("first", "last")]
    assert [each.value for (each,) in results] == [0.0, 39.0]


def test_reading_stops_where_there_is_too_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MAX_ROWS", 40)
    world.append(range(100))
    world.checkpoint()
    assert world.times() == list(range(41))
    assert world.times(Span(50, 90)) == list(range(50, 90))


def test_s_8_5_2_windows_over_files_and_journal(world: World) -> None:
    world.append([n * S_NS for n in range(50)])
    world.checkpoint()
    results = world.aggregate(Span(5 * S_NS, 45 * S_NS), "count", 10.0)
    assert [(each.start_ns // S_NS, each.count) for each in results] == [
        (5, 10),
        (15, 10),
        (25, 10),
        (35, 10),
    ]
    (mean,) = world.aggregate(ALL, "mean", None)
    assert (mean.value, mean.count) == (24.5 * S_NS / 4, 50)


def test_a_series_without_rows_there_has_no_windows(world: World) -> None:
    world.append([5])
    assert world.aggregate(Span(6, 9), "mean", 1.0) == []
    world.append([])
    assert world.times(Span(6, 9)) == []


@pytest.mark.parametrize("there", [[], ["a", "b"]])
def test_a_missing_series_is_said_with_those_there_are(world: World, there: list[str]) -> None:
    for name in there:
        world.append([1], name)
    with pytest.raises(IoError, match="a, b" if there else "has none") as missing:
        world.times()
    assert missing.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(IoError, match="no series 't'"):
        world.aggregate(ALL, "mean", None)


def exported(world: World, rows: int, within: Span = ALL, newest: int = 0) -> list[int]:
    """All rows of a span, a block of `rows` at a time."""
    queries, times = Queries(world.store), []
    cursor: Cursor | None = Cursor(within.start_ns)
    if newest:
        cursor = answer(queries.newest("tool", "t", within, newest))
    while cursor is not None:
        block = answer(queries.block("tool", "t", cursor, within.end_ns, rows))
        assert len(block.rows) <= rows
        times += block.rows.times.tolist()
        cursor = block.following
    return times


@pytest.mark.parametrize("rows", [1, 7, 16, 33, 100, 1000])
def test_blocks_follow_each_other_over_files_and_journal(world: World, rows: int) -> None:
    there = [*range(90), *[90] * 40, *range(5, 25), *range(91, 120)]
    for start in range(0, len(there), 30):
        world.append(there[start : start + 30])
        world.checkpoint()
    assert world.waiting() > 0
    assert exported(world, rows) == sorted(there)
    assert exported(world, rows, Span(20, 95)) == [t for t in sorted(there) if 20 <= t < 95]
    assert exported(world, rows, newest=77) == sorted(there)[-77:]
    assert exported(world, rows, Span(0, 91), newest=10) == [90] * 10
    assert exported(world, rows, Span(500, 600), newest=10) == []


def test_rows_that_become_files_between_two_blocks_come_once(world: World) -> None:
    world.append(range(60))
    queries = Queries(world.store)
    first = answer(queries.block("tool", "t", Cursor(0), 100, 25))
    assert first.following == Cursor(24, 1)
    assert world.checkpoint() > 30
    second = answer(queries.block("tool", "t", first.following, 100, 100))
    assert [*first.rows.times, *second.rows.times] == list(range(60))
    assert second.following is None


def test_too_many_rows_of_one_time_are_refused_by_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "MAX_SKIPPED", 9)
    world.append([5] * 20)
    with pytest.raises(ResourceLimitExceeded, match="more than 9 rows of one time"):
        exported(world, 5)


def test_what_happens_between_two_blocks_of_a_query_is_allowed_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block is a chunk; meanwhile rows become files, and the oldest files go."""
    monkeypatch.setattr(series, "BLOCK_ROWS", 16)
    world.append(range(100))
    world.checkpoint()
    steps = Queries(world.store).aggregate("tool", "t", ALL, "count", None)
    next(steps)
    world.append(range(100, 150))
    assert world.checkpoint() > 0
    world.retention = replace(KEEP_ALL, rows=100)
    world.store = world.of(Disk())
    steps = Queries(world.store).aggregate("tool", "t", Span(0, 150), "count", None)
    next(steps)
    world.append(range(150, 200))
    assert world.checkpoint() > 0
    dropped = world.database.submit(lambda db: journal.by_id(db, 1).dropped).result(20)
    assert dropped > 1
    (result,) = answer(steps)
    assert result.count == 150 - (dropped - 1) * 16, "the first block was read before it went"
    assert world.times() == list(range(dropped * 16, 200))
