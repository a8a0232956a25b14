"""Times as people read them."""

import pytest
from hel_actor.series.moment import utc
from hel_actor.series.series import MAX_NS, MIN_NS, S_NS
from hel_actor.series.window import LONGEST_S


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000 * S_NS + 250_000, "2023-11-14T22:13:20.000250Z"),
        (MIN_NS, "1677-09-21T00:12:43.145224Z"),
        (MIN_NS - int(LONGEST_S) * S_NS, "1531-12-16T06:26:03.145224Z"),
        (MAX_NS, "2262-04-11T23:47:16.854775Z"),
    ],
)
def test_all_times_and_first_windows_can_be_said(time_ns: int, text: str) -> None:
    assert utc(time_ns) == text
