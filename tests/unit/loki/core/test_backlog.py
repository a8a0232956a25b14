"""A backlog against a list that loses its head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.backlog import Backlog


def test_what_was_lost_is_told_with_the_next_that_was_not() -> None:
    backlog: Backlog[int] = Backlog(2)
    for item in range(5):
        backlog.put(item)
    assert [backlog.take(), backlog.take()] == [(3, 3), (4, 0)]
    with pytest.raises(IndexError):
        backlog.take()


@given(st.lists(st.booleans(), max_size=100), st.integers(1, 5))
def test_nothing_is_lost_untold_and_the_bound_holds(puts: list[bool], most: int) -> None:
    backlog: Backlog[int] = Backlog(most)
    put = seen = 0
    for is_put in puts:
        if is_put:
            backlog.put(put)
            put += 1
        elif len(backlog):
            item, lost = backlog.take()
            assert item == seen + lost
            seen = item + 1
        assert len(backlog) <= most
