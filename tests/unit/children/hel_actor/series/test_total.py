"""Sums of windows that are beyond all doubles, and means of them."""

import math

import numpy as np
import pytest
from hel_actor.series.total import GREATEST, Totals


@pytest.mark.parametrize(
    ("blocks", "total", "mean"),
    [
        ([[1.0, 2.0], [6.0]], 9.0, 3.0),
        ([[GREATEST, GREATEST]], math.inf, GREATEST),
        ([[-GREATEST] * 3], -math.inf, -GREATEST),
        ([[GREATEST, GREATEST], [-GREATEST, -GREATEST]], 0.0, 0.0),
        ([[GREATEST], [GREATEST, -GREATEST]], GREATEST, GREATEST / 3),
        ([[1.0], [math.inf], [-GREATEST]], math.inf, math.inf),
        ([[5e-324], [5e-324, 5e-324, 5e-324]], 2e-323, 5e-324),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_sum_comes_back_from_beyond_all_doubles(
    blocks: list[list[float]], total: float, mean: float
) -> None:
    totals = Totals(4)
    totals.add(np.array([0, 2]), np.array([1e-300, 7.0]))
    for block in blocks:
        totals.add(np.full(len(block), 1), np.array(block))
    totals.add(np.array([2]), np.array([8.0]))
    counts = np.array([1, sum(map(len, blocks)), 2, 0])
    assert totals.sums().tolist() == [1e-300, total, 15.0, 0.0]
    assert totals.means(counts).tolist() == [1e-300, pytest.approx(mean), 7.5, 0.0]


@pytest.mark.filterwarnings("error")
def test_there_is_no_sum_of_both_infinities() -> None:
    totals = Totals(1)
    totals.add(np.array([0, 0]), np.array([math.inf, -math.inf]))
    assert math.isnan(totals.sums()[0])
    assert math.isnan(totals.means(np.array([2]))[0])
