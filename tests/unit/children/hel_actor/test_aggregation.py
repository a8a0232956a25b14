"""Every statistic against the plain definition, whatever the blocks."""

import math
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hel_actor import aggregation
from hel_actor.aggregation import Aggregation
from hel_actor.column import columns
from hel_actor.series import STATISTICS, Windows
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ResourceLimitExceeded

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
    "p50": lambda rows: float(np.percentile([row[1] for row in rows], 50)),
    "p95": lambda rows: float(np.percentile([row[1] for row in rows], 95)),
    "p99": lambda rows: float(np.percentile([row[1] for row in rows], 99)),
}


def test_there_is_a_plain_definition_of_each() -> None:
    assert tuple(PLAIN) == STATISTICS


@pytest.mark.parametrize("statistic", STATISTICS)
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


def test_percentiles_know_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregation, "MAX_SORTED_ROWS", 3)
    rows = columns([(0, 1.0, 0), (1, 2.0, 0)])
    found = Aggregation(WINDOWS, "p50")
    found.add(rows)
    with pytest.raises(ResourceLimitExceeded, match="shorter time"):
        found.add(rows)
