"""What numbers of a time series are by definition, exactly, however large the values are."""

import math
from collections.abc import Sequence
from fractions import Fraction

from hel_actor.series.window import percentile_of
from hypothesis import strategies as st

GREATEST = 1.7976931348623157e308
STATISTICS = ("mean", "min", "max", "sum", "count", "first", "last")
PERCENTILES = ("p0", "p5", "p50", "p95", "p99.9", "p100")
VALUES = (
    st.floats(allow_nan=False)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([GREATEST, -GREATEST, 0.9 * GREATEST, 5e-324, -5e-324, 0.1])
)
"""No append takes infinities; a sum of an older version may be one."""

Row = tuple[int, float]
"""Time in ns and value; of two of one time, the one that was appended first comes first."""


def is_number(statistic: str, rows: Sequence[Row], found: float) -> bool:
    """Whether it is that statistic of these rows, but for rounding."""
    values = [value for _, value in rows]
    by_time = sorted(rows, key=lambda row: row[0])
    match statistic:
        case "count":
            return found == len(rows)
        case "first":
            return found == by_time[0][1]
        case "last":
            return found == by_time[-1][1]
        case "min" | "p0":
            return found == min(values)
        case "max" | "p100":
            return found == max(values)
        case "sum" | "mean":
            return _is_total(values, 1 if statistic == "sum" else len(values), found)
    part = percentile_of(statistic)
    assert part is not None
    return _is_percentile(sorted(values), part, found)


def _is_total(values: list[float], divisor: int, found: float) -> bool:
    endless = {value for value in values if math.isinf(value)}
    if len(endless) == 2:
        return math.isnan(found)
    if endless:
        return found == endless.pop()
    exact = sum(map(Fraction, values)) / divisor
    slack = sum(abs(Fraction(value)) for value in values) / divisor / 10**12
    return _is_close(exact, found, slack)


def _is_percentile(values: list[float], part: float, found: float) -> bool:
    rank = (len(values) - 1) * part
    below = int(rank)
    low, high = values[below], values[min(below + 1, len(values) - 1)]
    if low == high or rank == below:
        return found == low
    if math.isinf(low) or math.isinf(high):
        both = math.isinf(low) and math.isinf(high)
        return math.isnan(found) if both else found == (low if math.isinf(low) else high)
    exact = Fraction(low) + (Fraction(high) - Fraction(low)) * Fraction(rank - below)
    slack = (abs(Fraction(low)) + abs(Fraction(high))) / 10**12
    return low <= found <= high and _is_close(exact, found, slack)


def _is_close(exact: Fraction, found: float, slack: Fraction) -> bool:
    """A number that no double holds is infinite."""
    slack += Fraction(5e-324)
    if math.isnan(found):
        return False
    if math.isinf(found):
        return (exact if found > 0 else -exact) > Fraction(GREATEST) - slack
    return abs(exact - Fraction(found)) <= slack
