"""Rows, column by column."""

import numpy as np
from hel_actor.series.column import columns, joined

ROWS = [(3, 0.5, 7), (1, -1.0, 255)]


def test_rows_become_columns_of_their_types() -> None:
    found = columns(ROWS)
    assert (found.times.tolist(), found.values.tolist()) == ([3, 1], [0.5, -1.0])
    assert found.qualities.tolist() == [7, 255]
    assert (found.times.dtype, found.qualities.dtype) == (np.int64, np.uint8)
    assert len(found) == 2


def test_nothing_has_types_too() -> None:
    for nothing in (columns([]), joined([]), columns(ROWS).only(slice(0))):
        assert len(nothing) == 0
        assert nothing.times.dtype == np.int64


def test_parts_are_joined_in_order_and_picked_from() -> None:
    found = joined([columns(ROWS), columns([]), columns([(2, 2.0, 0)])])
    assert found.times.tolist() == [3, 1, 2]
    assert found.only(found.times >= 2).values.tolist() == [0.5, 2.0]
    assert found.only(np.argsort(found.times)).times.tolist() == [1, 2, 3]
