"""A burst of changes: looked at when it is quiet, and after so long in any case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.burst import LONGEST_S, QUIET_S, Burst, signed


@pytest.mark.parametrize(
    ("signs_s", "due_s"),
    [
        ([10.0], 10.15),
        ([10.0, 10.1], 10.25),
        ([10.0, 10.1, 10.2, 10.3, 10.4], 10.5),
        ([10.0, 20.0], 10.5),  # Nobody looked at it in time.
    ],
)
def test_when_it_is_looked_at(signs_s: list[float], due_s: float) -> None:
    burst: Burst | None = None
    for now_s in signs_s:
        burst = signed(burst, now_s)
    assert burst is not None
    assert burst.due_s == pytest.approx(due_s)


@given(st.lists(st.floats(0, 0.14), max_size=50))
def test_it_is_never_later_than_the_longest_nor_before_it_is_quiet(pauses_s: list[float]) -> None:
    now_s = 5.0
    burst = signed(None, now_s)
    for pause_s in pauses_s:
        now_s += pause_s
        burst = signed(burst, now_s)
    assert burst.due_s <= 5.0 + LONGEST_S
    assert burst.due_s >= min(now_s + QUIET_S, 5.0 + LONGEST_S)
