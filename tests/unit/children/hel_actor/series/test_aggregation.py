"""Every statistic against the plain definition, whatever the blocks."""

import math
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hel_actor.series import window
from hel_actor.series.aggregation import Aggregation
from hel_actor.series.column import columns
from hel_actor.series.series import MAX_NS, MIN_NS, S_NS, Span
from hel_actor.series.window import STATISTICS, Windows
from hypothesis import example, given
from hypothesis import strategies as st

from loki.errors import InvalidArgument
from tests.unit.children.hel_actor import series_plain
from tests.unit.children.hel_actor.series_plain import GREATEST

WINDOWS = Windows(start_ns=-20, every_ns=10, count=5)
Row = tuple[int, float, int]
ROWS = st.lists(
    st.tuples(st.integers(-20, 29), st.integers(-1000, 1000).map(float), st.just(0)), max_size=40
)

PLAIN: dict[str, Callable[[list[Row]], float]] = {
    "mean": lambda rows: fmean(value for _, value, _ in rows),
    "min": lambda rows: min(value for _, value, _ in rows),
    "max": lambda rows: max(value for _, value, _ in rows),
    "sum": lambda rows: sum(value for _, value, _ in rows),
    "count": len,
    "first": lambda rows: sorted(rows, key=lambda row: row[0])[0][1],
    "last": lambda rows: sorted(rows, key=lambda row: row[0])[-1][1],
}
for _percent in ("0", "5", "50", "95", "99.9", "100"):
    PLAIN[f"p{_percent}"] = lambda rows, percent=float(_percent): float(  # type: ignore[misc]
        np.percentile([row[1] for row in rows], percent)
    )


def test_there_is_a_plain_definition_of_each() -> None:
    assert tuple(PLAIN)[: len(STATISTICS)] == STATISTICS


@pytest.mark.parametrize("statistic", PLAIN)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 40), max_size=3))
def test_s_8_5_2_functions(statistic: str, rows: list[Row], cuts: list[int]) -> None:
    by_window: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_window[row[0] // 10 * 10].append(row)
    found = Aggregation(WINDOWS, statistic)
    edges = [0, *sorted(cuts), len(rows)]
    for start, end in pairwise(edges):
        found.add(columns(rows[start:end]))
    results = found.result()
    assert [(each.start_ns, each.count) for each in results] == [
        (start, len(by_window[start])) for start in sorted(by_window)
    ]
    for each in results:
        assert math.isclose(each.value, PLAIN[statistic](by_window[each.start_ns]), abs_tol=1e-9)


def test_windows_are_closed_when_no_more_rows_come() -> None:
    found = Aggregation(WINDOWS, "p50")
    assert found.in_any_order
    assert not Aggregation(WINDOWS, "mean").in_any_order
    found.add(columns([(n, float(n), 0) for n in range(-20, 10)]))
    for before_ns in (-100, 5, 10, 1000):
        found.close(before_ns)
    found.add(columns([(n, float(n), 0) for n in range(10, 20)]))
    assert [each.value for each in found.result()] == [-15.5, -5.5, 4.5, 14.5]


TIMES = st.integers(MIN_NS + 1, MAX_NS - 1) | st.integers(-30, 30)
BOUNDS = st.sampled_from([MIN_NS, MAX_NS]) | st.integers(MIN_NS, MAX_NS)
EVER = MIN_NS, MAX_NS
FAR_APART = [(-9_200_000_000 * S_NS, 1.0), (1_780_000_000 * S_NS, -2.0)]
LENGTHS = st.none() | st.floats(allow_nan=True) | st.floats(1e-6, window.LONGEST_S)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("statistic", [*series_plain.STATISTICS, *series_plain.PERCENTILES])
@given(
    rows=st.lists(st.tuples(TIMES, series_plain.VALUES), min_size=1, max_size=9),
    cuts=st.lists(st.integers(0, 9), max_size=3),
    bounds=st.tuples(BOUNDS, BOUNDS),
    every=LENGTHS,
)
@example(rows=FAR_APART, cuts=[], bounds=EVER, every=None)
@example(rows=FAR_APART, cuts=[], bounds=EVER, every=4e9)
@example(rows=[(n, (-1) ** n * GREATEST) for n in (1, 3, 4, 6)], cuts=[2], bounds=EVER, every=1.0)
def test_whatever_rows_there_are_there_are_numbers_or_one_clear_error(
    statistic: str,
    rows: list[series_plain.Row],
    cuts: list[int],
    bounds: tuple[int, int],
    every: float | None,
) -> None:
    within = Span(min(bounds), max(bounds))
    inside = [row for row in rows if within.start_ns <= row[0] < within.end_ns]
    if not inside:
        return
    times = sorted(time_ns for time_ns, _ in inside)
    try:
        found = window.windows(within, window.checked_length(every), times[0], times[-1])
    except InvalidArgument:
        return
    aggregation = Aggregation(found, statistic)
    for start, end in pairwise([0, *sorted(cuts), len(inside)]):
        aggregation.add(columns([(*row, 0) for row in inside[start:end]]))
    results = aggregation.result()
    assert sum(each.count for each in results) == len(inside)
    for each in results:
        end_ns = each.start_ns + found.every_ns * (found.count if every is None else 1)
        its = [row for row in inside if each.start_ns <= row[0] < end_ns]
        assert len(its) == each.count > 0
        assert series_plain.is_number(statistic, its, each.value), (its, each.value)
