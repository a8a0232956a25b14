"""Queries over files and journal where 64 bits and doubles end: numbers, or one clear error."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hel_actor.series import journal, window
from hel_actor.series.journal import Appended, Batch, Quota
from hel_actor.series.query import Cursor
from hel_actor.series.series import MAX_NS, MIN_NS, Span
from hel_actor.series.store import Reading
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loki.errors import InvalidArgument
from tests.unit.children.hel_actor import series_plain
from tests.unit.children.hel_actor.series_plain import GREATEST, Row
from tests.unit.children.hel_actor.series_world import ALL, World, answer

CLEAR = re.compile("; ask for a part, with from|windows of what is there; 100000 are allowed")
NUMBERS = count()
TIMES = (
    st.integers(MIN_NS + 1, MAX_NS - 1)
    | st.integers(-20, 20)
    | st.sampled_from([MIN_NS + 1, MAX_NS - 1])
)
BOUNDS = st.sampled_from([MIN_NS, MAX_NS]) | TIMES
ROWS = st.lists(st.tuples(TIMES, series_plain.VALUES), min_size=1, max_size=14)
SPANS = st.tuples(BOUNDS, BOUNDS).map(lambda bounds: Span(min(bounds), max(bounds)))
LENGTHS = st.none() | st.floats(1e-6, window.LONGEST_S) | st.sampled_from([1e-6, 1.0, 4e9])
ANY = st.sampled_from([*series_plain.STATISTICS, *series_plain.PERCENTILES])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all examples, which have series of their own."""
    worker = ThreadPoolExecutor(1)
    world = World(tmp_path_factory.mktemp("world"), worker)
    yield world
    world.close()
    worker.shutdown()


def appended(world: World, rows: list[Row]) -> str:
    """Rows that are in files and rows that wait."""
    name = f"t{next(NUMBERS)}"
    batch, quota = Batch([(*row, 0) for row in rows]), Quota(10**9, 4)
    done = world.database.submit(lambda db: journal.append(db, "tool", name, batch, quota))
    result = done.result(20)
    assert isinstance(result, Appended)
    while world.store.checkpoint(result.series):
        pass
    return name


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, within=SPANS, every=LENGTHS, statistic=ANY)
@example(rows=[(MIN_NS + 1, 1.0), (MAX_NS - 1, 2.0)], within=ALL, every=None, statistic="p50")
@example(rows=[(MIN_NS + 1, 1.0)], within=ALL, every=1.0, statistic="first")
@example(rows=[(0, -GREATEST), (1, GREATEST)] * 3, within=ALL, every=4e9, statistic="p50")
def test_whatever_rows_there_are_there_are_numbers_or_one_clear_error(
    world: World, rows: list[Row], within: Span, every: float | None, statistic: str
) -> None:
    name, every_ns = appended(world, rows), window.checked_length(every)
    inside = [row for row in rows if within.start_ns <= row[0] < within.end_ns]
    try:
        results = answer(world.queries.aggregate("tool", name, within, statistic, every_ns))
    except InvalidArgument as error:
        if not CLEAR.search(error.message):
            raise
        return
    assert sum(each.count for each in results) == len(inside)
    for each in results:
        end_ns = each.start_ns + (every_ns or 2 * MAX_NS)
        its = [row for row in inside if each.start_ns <= row[0] < end_ns]
        assert len(its) == each.count > 0
        assert series_plain.is_number(statistic, its, each.value), (its, each.value)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, within=SPANS, limit=st.integers(1, 15))
def test_all_rows_are_read_in_order_whatever_their_times(
    world: World, rows: list[Row], within: Span, limit: int
) -> None:
    name = appended(world, rows)
    times = sorted(time_ns for time_ns, _ in rows)
    inside = [time_ns for time_ns in times if within.start_ns <= time_ns < within.end_ns]
    for newest, wanted in ((False, inside[:limit]), (True, inside[-limit:])):
        reading = Reading(within, limit, newest=newest)
        assert answer(world.queries.read("tool", name, reading)).times.tolist() == wanted
    cursor: Cursor | None = answer(world.queries.newest("tool", name, within, limit))
    found: list[int] = []
    while cursor is not None:
        block = answer(world.queries.block("tool", name, cursor, within.end_ns, 3))
        found += block.rows.times.tolist()
        cursor = block.following
    assert found == inside[-limit:]
