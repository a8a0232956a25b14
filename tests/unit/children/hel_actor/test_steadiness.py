"""By which time things are too old, whatever a clock does."""

import pytest
from hel_actor.steadiness import JUMP_S, NOTHING_OLD_NS, STEADY_S, Course, Steadiness, followed

from loki.clock import FakeClock

BEGIN_NS = 1_700_000_000 * 10**9
YEARS_S = 24 * 365 * 86400.0


@pytest.mark.parametrize(
    ("steps", "steady"),
    [
        ([], False),
        ([(STEADY_S - 1, 0.0)], False),
        ([(STEADY_S, 0.0)], True),
        ([(STEADY_S, 0.0), (10.0, YEARS_S)], False),
        ([(STEADY_S, 0.0), (10.0, YEARS_S), (STEADY_S - 1, 0.0)], False),
        ([(STEADY_S, 0.0), (10.0, YEARS_S), (STEADY_S, 0.0)], True),
        ([(STEADY_S, 0.0), (10.0, YEARS_S), (10.0, -YEARS_S)], False),
        ([(STEADY_S, 0.0), (10.0, -JUMP_S)], False),
        ([(STEADY_S, 0.0), (10.0, JUMP_S - 1)], True),  # It slept, or was put right.
        ([(10 * STEADY_S, YEARS_S)], False),  # When it jumped is not known.
    ],
)
def test_nothing_is_old_until_the_clock_has_gone_evenly(
    steps: list[tuple[float, float]], steady: bool
) -> None:
    clock = FakeClock(now_ns=BEGIN_NS)
    steadiness = Steadiness(clock)
    aging_ns = steadiness.aging_ns()
    for passed_s, turned_s in steps:
        clock.advance(passed_s)
        clock.turn(turned_s)
        aging_ns = steadiness.aging_ns()
    assert aging_ns == (clock.now_ns() if steady else NOTHING_OLD_NS)


def test_a_jump_begins_anew_and_all_else_goes_on() -> None:
    course = Course(BEGIN_NS, 5.0, 5.0)
    assert followed(course, BEGIN_NS + 10**9, 6.0) == Course(BEGIN_NS + 10**9, 6.0, 5.0)
    assert followed(course, 7, 6.0) == Course(7, 6.0, 6.0)
