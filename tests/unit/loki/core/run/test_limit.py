import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.run.limit import NAMES, clamp, exceeds, override
from loki.messages.script import Limits

LIMITS = st.builds(Limits, **{name: st.integers(0, 10_000) for name in NAMES})


@pytest.mark.parametrize(
    ("asked", "ceiling", "too_much"),
    [(9, 10, False), (10, 10, False), (11, 10, True), (0, 10, False), (10**9, 0, False)],
)
def test_s_5_1_1_a_limit_at_its_ceiling_is_allowed(
    asked: int, ceiling: int, too_much: bool
) -> None:
    assert exceeds(asked, ceiling) is too_much


@pytest.mark.parametrize(
    ("asked", "ceiling", "effective"),
    [(9, 10, 9), (10, 10, 10), (11, 10, 10), (0, 10, 10), (7, 0, 7)],
)
def test_s_4_3_3_clamp_takes_the_smaller(asked: int, ceiling: int, effective: int) -> None:
    asked_limits = Limits(max_memory_mb=asked, max_disk_mb=asked)
    clamped = clamp(asked_limits, Limits(max_memory_mb=ceiling, max_disk_mb=ceiling))
    assert (clamped.max_memory_mb, clamped.max_disk_mb) == (effective, effective)


@given(LIMITS, LIMITS)
def test_s_4_3_3_nothing_clamped_exceeds_its_ceiling_or_what_was_asked(
    limits: Limits, ceiling: Limits
) -> None:
    clamped = clamp(limits, ceiling)
    assert clamp(clamped, ceiling) == clamped
    for name in NAMES:
        effective, asked, top = (getattr(each, name) for each in (clamped, limits, ceiling))
        assert not exceeds(effective, top)
        assert not exceeds(effective, asked)
        assert effective in (asked, top)


def test_override_replaces_only_what_is_given() -> None:
    assert override(Limits(max_memory_mb=7), {"max_disk_mb": 3}) == Limits(
        max_memory_mb=7, max_disk_mb=3
    )
