"""The first or last rows of many, against sorting all of them."""

import numpy as np
import pytest
from hel_actor.series import selection
from hel_actor.series.column import Columns
from hel_actor.series.selection import Selection
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def _no_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "SLACK_ROWS", 0)


@given(
    times=st.lists(st.integers(0, 9), max_size=40),
    block=st.integers(1, 7),
    limit=st.integers(1, 50),
    newest=st.booleans(),
    backwards=st.booleans(),
)
def test_it_is_what_a_stable_sort_gives(
    times: list[int], block: int, limit: int, newest: bool, backwards: bool
) -> None:
    """The value is the rank: rows of one time keep their order, whichever block came first."""
    chosen = Selection(limit, newest=newest)
    starts = range(0, len(times), block)
    for start in reversed(starts) if backwards else starts:
        part = times[start : start + block]
        ranks = np.arange(start, start + len(part))
        rows = Columns(
            np.array(part, np.int64), ranks.astype(np.float64), np.zeros(len(part), np.uint8)
        )
        chosen.add(ranks, rows)
    ranked = sorted(range(len(times)), key=lambda rank: times[rank])
    expected = ranked[-limit:] if newest else ranked[:limit]
    rows = chosen.rows() if times else None
    assert (rows.values.tolist() if rows else []) == expected


def test_it_keeps_no_more_than_it_needs() -> None:
    chosen = Selection(10)
    for start in range(0, 1000, 10):
        ranks = np.arange(start, start + 10)
        chosen.add(ranks, Columns(ranks, ranks.astype(np.float64), np.zeros(10, np.uint8)))
        assert sum(len(rows) for _, rows in chosen._parts) <= 20
    assert chosen.rows().times.tolist() == list(range(10))
