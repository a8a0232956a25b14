"""Windows and statistics of time series."""

import math

import pytest
from hel_actor.series import window
from hel_actor.series.series import MAX_NS, MIN_NS, S_NS, Span
from hel_actor.series.window import Windows

from loki.errors import InvalidArgument


@pytest.mark.parametrize(
    ("span", "every_s", "oldest_s", "newest_s", "windows"),
    [
        (Span(MIN_NS, MAX_NS), None, 5, 25, Windows(5 * S_NS, 20 * S_NS + 1, 1)),
        (Span(0, 30 * S_NS), None, 5, 25, Windows(0, 25 * S_NS + 1, 1)),
        (Span(MIN_NS, MAX_NS), 10.0, 5, 25, Windows(0, 10 * S_NS, 3)),
        (Span(MIN_NS, MAX_NS), 10.0, -5, 5, Windows(-10 * S_NS, 10 * S_NS, 2)),
        # From a bound on: 3, 13, 23; nothing is made where there are no rows.
        (Span(3 * S_NS, MAX_NS), 10.0, 15, 25, Windows(13 * S_NS, 10 * S_NS, 2)),
        (Span(3 * S_NS, MAX_NS), 10.0, 13, 13, Windows(13 * S_NS, 10 * S_NS, 1)),
    ],
)
def test_windows(
    span: Span, every_s: float | None, oldest_s: int, newest_s: int, windows: Windows
) -> None:
    every_ns = window.checked_length(every_s)
    assert window.windows(span, every_ns, oldest_s * S_NS, newest_s * S_NS) == windows


@pytest.mark.parametrize("every_s", [window.SHORTEST_S, 60.0, window.LONGEST_S])
def test_a_window_has_a_length(every_s: float) -> None:
    assert window.checked_length(every_s) == round(every_s * S_NS)


@pytest.mark.parametrize("every_s", [0.0, -1.0, math.nan, math.inf, 1e-9, 4.61e9, 1e12, 1.7e308])
def test_what_is_no_length_is_refused(every_s: float) -> None:
    with pytest.raises(InvalidArgument, match=r"every_s is .* from 1e-06 to 4.6e\+09"):
        window.checked_length(every_s)


@pytest.mark.parametrize(
    ("start_ns", "every_ns", "said"),
    [
        (0, S_NS, True),
        (MIN_NS + 1, S_NS, True),
        (MIN_NS, S_NS, False),  # That says that there is no bound.
        (-9_800_000_000 * S_NS, 700_000_000 * S_NS, False),
        (-8_000_000_000 * S_NS, 4_000_000_000 * S_NS, True),
        (MAX_NS - S_NS, S_NS, True),
        (MAX_NS - S_NS + 1, S_NS, False),
    ],
)
def test_windows_at_the_ends_of_all_time_have_no_edges(
    start_ns: int, every_ns: int, said: bool
) -> None:
    assert window.has_edges(start_ns, every_ns) is said


@pytest.mark.parametrize(
    ("time_ns", "every_ns", "edge_ns"),
    [(0, 10, 0), (1, 10, 10), (10, 10, 10), (-9, 10, 0), (MAX_NS - 1, S_NS, MAX_NS)],
)
def test_the_next_window_begins_at_an_edge(time_ns: int, every_ns: int, edge_ns: int) -> None:
    assert window.edge_from(time_ns, every_ns) == edge_ns


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "every_ns", "part_ns"),
    [(-20, 20, 10, 10), (-20, 0, 10, 0), (-8 * 10**18, 8 * 10**18, 4 * 10**18, 0)],
)
def test_so_many_windows_are_made_at_once(
    start_ns: int, end_ns: int, every_ns: int, part_ns: int
) -> None:
    assert window.part_end(start_ns, end_ns, every_ns, 3) == part_ns


@pytest.mark.parametrize(
    ("within", "every_ns", "oldest_ns", "why"),
    [
        (
            Span(MIN_NS, MAX_NS),
            S_NS,
            MIN_NS + 1,
            "00:12:43Z, and times begin at 1677-09-21T00:12:43.1",
        ),
        (
            Span(MIN_NS, MAX_NS),
            S_NS * 10**9,
            -8 * 10**18,
            "from 1716-06-28T09:46:40Z to 2262-04-11",
        ),
        (
            Span(MIN_NS, MAX_NS),
            None,
            -8 * 10**18,
            "from 1716-06-28T09:46:40Z to 2262-04-11",
        ),
    ],
)
def test_what_64_bits_cannot_say_is_refused_with_what_to_ask_for(
    within: Span, every_ns: int | None, oldest_ns: int, why: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"{why}.*; ask for a part, with from"):
        window.windows(within, every_ns, oldest_ns, MAX_NS - 1)


@pytest.mark.parametrize(("time_ns", "start_ns"), [(0, 0), (9, 0), (10, 10), (-1, -10), (-10, -10)])
def test_windows_begin_at_multiples_since_1970(time_ns: int, start_ns: int) -> None:
    assert window.window_of(time_ns, 10) == start_ns


def test_there_are_not_too_many_windows() -> None:
    assert window.windows(Span(0, MAX_NS), S_NS, 0, 99_999 * S_NS).count == 100_000
    with pytest.raises(InvalidArgument, match="100001 windows"):
        window.windows(Span(0, MAX_NS), S_NS, 0, 100_000 * S_NS)


@pytest.mark.parametrize(
    ("statistic", "part"),
    [
        ("p95", 0.95),
        ("p5", 0.05),
        ("p99.9", 0.999),
        ("p0.5", 0.005),
        ("p0", 0.0),
        ("p0.0", 0.0),
        ("p100", 1.0),
        ("p100.0", 1.0),
    ],
)
def test_percentiles_are_any(statistic: str, part: float) -> None:
    assert window.percentile_of(statistic) == pytest.approx(part)
    assert window.checked_statistic(statistic) == statistic


@pytest.mark.parametrize(
    "statistic", ["p101", "p100.1", "p999", "p", "p-5", "p5.", "q95", "p99.9999"]
)
def test_what_is_no_percentile_is_refused(statistic: str) -> None:
    assert window.percentile_of(statistic) is None
    with pytest.raises(InvalidArgument, match="percentiles from p0 to p100, such as p95"):
        window.checked_statistic(statistic)


@pytest.mark.parametrize(
    ("statistic", "how"),
    [("p0", "min"), ("p0.000", "min"), ("p100", "max"), ("p99.999", "p99.999"), ("sum", "sum")],
)
def test_the_ends_of_percentiles_are_least_and_greatest(statistic: str, how: str) -> None:
    assert window.computed(statistic) == how


NOW_NS = 1_700_000_000 * S_NS
YEAR_NS = 365 * 86400 * S_NS


@pytest.mark.parametrize(
    ("newest", "due", "done", "now", "due_now"),
    [
        (NOW_NS, NOW_NS - 5, NOW_NS - 9, NOW_NS, True),
        (NOW_NS, NOW_NS - 4, NOW_NS - 9, NOW_NS, False),
        (NOW_NS, NOW_NS + YEAR_NS, NOW_NS, NOW_NS, False),
        (NOW_NS, NOW_NS + YEAR_NS, NOW_NS + 1, NOW_NS, True),  # By a clock that was wrong.
        (7, NOW_NS + YEAR_NS, NOW_NS, 7, False),  # It was never set.
        (NOW_NS, MIN_NS + 60, MIN_NS, NOW_NS, True),  # Nothing was done yet.
    ],
)
def test_rows_ask_for_coarser_series(
    newest: int, due: int, done: int, now: int, due_now: bool
) -> None:
    assert window.is_due(newest, due, done, 5, now) is due_now


@pytest.mark.parametrize(
    ("done", "kept", "resumed"),
    [
        (1000, None, MIN_NS),
        (1000, 30, 40),
        (1000, 39, 40),  # Somebody's own row, or of windows of another length.
        (40, 30, 40),
        (40, 55, 40),  # Never forward: there may be windows that were not kept yet.
    ],
)
def test_windows_go_on_behind_those_that_are_kept(
    done: int, kept: int | None, resumed: int
) -> None:
    assert window.resumed_ns(done, kept, 10) == resumed


def test_functions() -> None:
    with pytest.raises(InvalidArgument, match="there are mean, min"):
        window.checked_statistic("average")
