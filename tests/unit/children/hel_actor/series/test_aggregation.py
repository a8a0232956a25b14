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


TIMES = st.integers(MIN_NS + 1, MAX_NS - 1)
BOUNDS = st.integers(MIN_NS, MAX_NS)
EVER = MIN_NS, MAX_NS
FAR_APART = [-9_200_000_000 * S_NS, 1_780_000_000 * S_NS]
LENGTHS = st.none() | st.floats(allow_nan=True) | st.floats(1e-6, window.LONGEST_S)


@pytest.mark.parametrize("statistic", ["mean", "first", "last", "max", "count", "p95"])
@given(
    times=st.lists(TIMES, min_size=1, max_size=5), bounds=st.tuples(BOUNDS, BOUNDS), every=LENGTHS
)
@example(times=FAR_APART, bounds=EVER, every=None)
@example(times=FAR_APART, bounds=EVER, every=4e9)
def test_whatever_times_rows_have_there_are_numbers_or_one_clear_error(
    statistic: str, times: list[int], bounds: tuple[int, int], every: float | None
) -> None:
    within = Span(min(bounds), max(bounds))
    inside = sorted(time for time in times if within.start_ns <= time < within.end_ns)
    if not inside:
        return
    try:
        found = window.windows(within, window.checked_length(every), inside[0], inside[-1])
    except InvalidArgument:
        return
    aggregation = Aggregation(found, statistic)
    aggregation.add(columns([(time_ns, 1.0, 0) for time_ns in inside]))
    results = aggregation.result()
    assert sum(each.count for each in results) == len(inside)
    ends = [each.start_ns + found.every_ns for each in results]
    assert all(each.start_ns <= inside[-1] for each in results)
    assert all(end > inside[0] for end in ends)
