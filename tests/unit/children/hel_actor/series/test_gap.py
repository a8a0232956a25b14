"""Rows that are missing between those that are there."""

import numpy as np
import pytest
from hel_actor.series.gap import Gaps
from hel_actor.series.series import MAX_NS, MIN_NS, S_NS
from hypothesis import given, settings
from hypothesis import strategies as st


def missing(times_ns: list[int], interval_s: float, cuts: tuple[int, ...] = ()) -> int:
    """Of times that come in parts, cut at these places."""
    gaps = Gaps(interval_s)
    for part in np.split(np.array(sorted(times_ns), np.int64), sorted(cuts)):
        gaps.add(part)
    return gaps.missing


MINUTES = [0, 1, 2, 3, 4, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("times", "interval", "expected"),
    [
        ([], 1, 0),
        ([5], 1, 0),
        (range(10), 1, 0),
        (MINUTES, 1, 1),
        ([*MINUTES, 7], 1, 1),  # It came twice: the gap is there all the same.
        ([*MINUTES, 7, 7, 7.001, 7.5], 1, 1),
        ([3] * 100, 1, 0),
        ([0, 10], 5, 1),
        ([0, 10], 1, 9),
        ([0, 1.2, 1.9, 3.1, 4], 1, 0),  # Late and early.
        ([0, 1, 2, 7.5, 8.5, 9.5], 1, 4),  # Something began anew.
        ([n + 0.5 + (-1) ** n * 0.01 for n in range(-1, 100)] + [-1.0], 1, 0),
        ([n * 1.002 for n in range(5000)], 1, 0),  # What works for 2 ms, and waits for a second.
        ([0, 1.5, 3.001], 1, 1),
        ([0, 0.3], 0.1, 2),
        ([0, 10], 1e-6, 9_999_999),
        ([0, 10], 1e300, 0),
    ],
)
def test_rows_are_missing_between_neighbours(
    times: list[float], interval: float, expected: int
) -> None:
    assert missing([round(time * S_NS) for time in times], interval) == expected


def test_all_of_64_bits_may_lie_between_two_rows() -> None:
    years = missing([MIN_NS + 1, MAX_NS - 1], 366 * 86400.0)
    assert years == 582
    assert missing([MIN_NS + 1, MAX_NS - 1], 1e-6) == pytest.approx(2**64 / 1000)


@settings(max_examples=100, deadline=None)
@given(
    there=st.sets(st.integers(-40, 40), min_size=1),
    again=st.lists(st.integers(0, 200), max_size=40),
    cuts=st.lists(st.integers(0, 90), max_size=5),
    interval=st.sampled_from([1e-6, 0.1, 1.0, 60.0, 86400.0]),
)
def test_every_slot_without_a_row_counts_once(
    there: set[int], again: list[int], cuts: list[int], interval: float
) -> None:
    """However often rows came twice, and in whatever parts they come."""
    slots = sorted(there)
    slots += [slots[n % len(slots)] for n in again]
    times_ns = [round(slot * interval * S_NS) for slot in slots]
    expected = max(there) - min(there) + 1 - len(there)
    assert missing(times_ns, interval, tuple(cuts)) == expected
