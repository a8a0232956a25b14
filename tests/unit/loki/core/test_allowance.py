"""A number at once, then so many a second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.allowance import Allowance


def test_so_many_at_once_and_no_more() -> None:
    allowance = Allowance(3, 1, now_s=5.0)
    assert [allowance.take(5.0) for _ in range(5)] == [True, True, True, False, False]


@pytest.mark.parametrize(("after_s", "allowed"), [(0.4, 0), (0.5, 1), (1.0, 2), (1000.0, 3)])
def test_time_gives_back_up_to_the_number(after_s: float, allowed: int) -> None:
    allowance = Allowance(3, 2, now_s=0.0)
    while allowance.take(0.0):
        pass
    assert sum(allowance.take(after_s) for _ in range(9)) == allowed


@given(st.lists(st.floats(0, 0.5), max_size=300))
def test_never_more_than_was_earned(pauses_s: list[float]) -> None:
    allowance, now_s, taken = Allowance(4, 2, now_s=0.0), 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        taken += allowance.take(now_s)
    assert taken <= 4 + 2 * now_s + 1e-6
