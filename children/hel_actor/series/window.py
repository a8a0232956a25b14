"""What is decided about numbers of time series: which windows there are, and which statistics."""

import math
import re
from dataclasses import dataclass

from hel_actor.series.moment import utc
from hel_actor.series.series import (
    MAX_NS,
    MIN_NS,
    S_NS,
    Span,
    future_ns,
    nanoseconds,
)
from loki.errors import InvalidArgument

MAX_WINDOWS = 100_000
SHORTEST_S, LONGEST_S = 1e-6, 4_600_000_000.0
"""Two of the longest windows are no longer than 64 bits can say."""
STATISTICS = ("mean", "min", "max", "sum", "count", "first", "last")
"""And percentiles: see `percentile_of`."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?|100(?:\.0{1,3})?)")
_ENDS = {0.0: "min", 1.0: "max"}


@dataclass(frozen=True, slots=True)
class Windows:
    """`count` windows side by side, each `every_ns` long; the first begins at `start_ns`."""

    start_ns: int
    every_ns: int
    count: int


def windows(within: Span, every_ns: int | None, oldest_ns: int, newest_ns: int) -> Windows:
    """The windows of `every_ns` that hold rows from `oldest_ns` to `newest_ns`.

    They begin at `within.start_ns`; where that is no bound, at multiples of `every_ns` since 1970.
    Without `every_ns` there is one, of the whole span.

    Raises: InvalidArgument for too many windows, and for those that 64 bits cannot say.
    """
    if every_ns is None:
        start_ns = oldest_ns if within.start_ns == MIN_NS else within.start_ns
        _require_near(start_ns, newest_ns)
        return Windows(start_ns, max(1, newest_ns - start_ns + 1), 1)
    origin_ns = 0 if within.start_ns == MIN_NS else within.start_ns
    start_ns = origin_ns + (oldest_ns - origin_ns) // every_ns * every_ns
    _require_near(start_ns, newest_ns)
    count = (newest_ns - start_ns) // every_ns + 1
    if count > MAX_WINDOWS:
        raise InvalidArgument(
            f"every_s is {every_ns / S_NS:g}, which makes {count} windows of what is there; "
            f"{MAX_WINDOWS} are allowed",
            details={"field": "every_s"},
        )
    return Windows(start_ns, every_ns, count)


def _require_near(start_ns: int, newest_ns: int) -> None:
    if start_ns <= MIN_NS:
        raise InvalidArgument(
            f"the first window would begin at {utc(start_ns)}, and times begin at {utc(MIN_NS)}; "
            "ask for a part, with from (--from) after that",
            details={"field": "from"},
        )
    if newest_ns - start_ns >= MAX_NS:
        raise InvalidArgument(
            f"the windows would go from {utc(start_ns)} to {utc(newest_ns)}, more than the 292 "
            "years that fit into 64 bits; ask for a part, with from and to (--from and --to)",
            details={"field": "from"},
        )


def checked_length(every_s: float | None) -> int | None:
    """That of windows in ns; None where there is to be one only. Raises: InvalidArgument."""
    return None if every_s is None else checked_every_ns(every_s)


def checked_every_ns(every_s: float) -> int:
    """The length of a window. Raises: InvalidArgument for what is none."""
    every_ns = nanoseconds(every_s) if math.isfinite(every_s) else 0
    if not nanoseconds(SHORTEST_S) <= every_ns <= nanoseconds(LONGEST_S):
        raise InvalidArgument(
            f"every_s is {every_s:g}; it is a number of seconds from {SHORTEST_S:g} to "
            f"{LONGEST_S:g}",
            details={"field": "every_s"},
        )
    return every_ns


def has_edges(start_ns: int, every_ns: int) -> bool:
    """Whether 64 bits can say where a window begins and ends; `MIN_NS` says that nothing does.

    The windows at both ends of all time have none, of whatever length.
    """
    return start_ns > MIN_NS and start_ns + every_ns <= MAX_NS


def edge_from(time_ns: int, every_ns: int) -> int:
    """The first beginning of a window that is not before; `MAX_NS` where there is none."""
    return min(MAX_NS, -(-time_ns // every_ns) * every_ns)


def part_end(start_ns: int, end_ns: int, every_ns: int, most: int) -> int:
    """Where to stop for now: behind `most` windows, or as many as 64 bits can say together."""
    return min(end_ns, start_ns + min(most, MAX_NS // every_ns) * every_ns)


def window_of(time_ns: int, every_ns: int) -> int:
    """Where the window begins that this time is in; windows begin at multiples since 1970."""
    return time_ns // every_ns * every_ns


def is_due(newest_ns: int, due_ns: int, done_ns: int, late_ns: int, now_ns: int) -> bool:
    """Whether coarser series are looked at, as a row of `newest_ns` came.

    It may complete a window that ends at `due_ns`; or one of them has come to `done_ns`, a time
    that is not there yet: by a clock that was wrong.
    """
    return newest_ns - late_ns >= due_ns or done_ns >= future_ns(now_ns)


def resumed_ns(done_ns: int, kept_ns: int | None, every_ns: int) -> int:
    """Where to go on instead of at `done_ns`, a time in the future.

    `kept_ns` is the last window of the coarser series that began, None where none did.
    """
    again_ns = MIN_NS if kept_ns is None else window_of(kept_ns, every_ns) + every_ns
    return min(done_ns, again_ns)


def checked_statistic(statistic: str) -> str:
    """Raises: InvalidArgument for an aggregation that there is not."""
    if statistic not in STATISTICS and percentile_of(statistic) is None:
        raise InvalidArgument(
            f"statistic is '{statistic[:40]}'; there are {', '.join(STATISTICS)}, and percentiles "
            "from p0 to p100, such as p95 or p99.9",
            details={"field": "statistic"},
        )
    return statistic


def percentile_of(statistic: str) -> float | None:
    """0.95 for "p95", from 0 to 1; None for what is no percentile."""
    match = _PERCENTILE.fullmatch(statistic)
    return float(match[1]) / 100 if match else None


def computed(statistic: str) -> str:
    """How it is computed: the ends of all percentiles are "min" and "max", which need no memory."""
    part = percentile_of(statistic)
    return statistic if part is None else _ENDS.get(part, statistic)
