"""Percentiles of windows that are closed one after the other."""

import numpy as np
import pytest
from hel_actor.series import percentile
from hel_actor.series.percentile import Percentiles
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ResourceLimitExceeded


def add(percentiles: Percentiles, rows: list[tuple[int, int]]) -> None:
    """(window, value)."""
    percentiles.add(
        np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64)
    )


@given(
    blocks=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(-99, 99)), min_size=1, max_size=12),
        max_size=6,
    ),
    group_rows=st.integers(1, 20),
    part=st.sampled_from([0.001, 0.25, 0.5, 0.95]),
)
def test_they_are_numpys_whenever_windows_are_closed(
    blocks: list[list[tuple[int, int]]], group_rows: int, part: float
) -> None:
    found = Percentiles(6, part)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(percentile, "GROUP_ROWS", group_rows)
        for number, block in enumerate(blocks):
            add(found, block)
            later = [row[0] for rest in blocks[number + 1 :] for row in rest]
            found.close(min(later, default=6))
        values = found.result()
    rows = [row for block in blocks for row in block]
    for window in {row[0] for row in rows}:
        expected = np.percentile([value for each, value in rows if each == window], part * 100)
        assert np.isclose(values[window], expected, atol=1e-9)


def test_rows_of_closed_windows_are_kept_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(percentile, "MAX_KEPT_ROWS", 10)
    found = Percentiles(100, 0.5)
    for window in range(100):
        add(found, [(window, n) for n in range(9)])
        found.close(window + 1)
    assert found.result().tolist() == [4.0] * 100
    add(found, [(0, 1)] * 10)
    with pytest.raises(ResourceLimitExceeded, match="more than 10 rows; ask for a shorter time"):
        add(found, [(0, 1)])
