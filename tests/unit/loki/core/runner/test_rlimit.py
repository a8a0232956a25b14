"""The kernel's limits are always behind the budgets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.runner import rlimit
from loki.core.runner.rlimit import RESERVED


@given(used=st.floats(0, 1e6), bound=st.floats(0, 3600), more=st.floats(0, 10))
def test_cpu_ends_between_one_and_three_seconds_behind_the_bound(
    used: float, bound: float, more: float
) -> None:
    soft_s = rlimit.cpu_soft_s(used, bound)
    assert used + bound + 1 <= soft_s + 1e-6 * used
    assert soft_s < used + bound + 2 + 1e-6
    assert rlimit.cpu_soft_s(used + more, bound) >= soft_s


def test_short_runs_in_one_process_mostly_have_the_same_cpu_limit() -> None:
    limits = {rlimit.cpu_soft_s(used_ms / 1000, 5) for used_ms in range(1, 1001)}
    assert limits == {7}


@given(used=st.integers(0, 2**40), ceiling_mb=st.integers(1, 4096))
def test_a_heap_at_its_ceiling_fits_with_its_result_beside_it(used: int, ceiling_mb: int) -> None:
    left = rlimit.data_bytes(used, ceiling_mb) - used
    assert left >= 3 * ceiling_mb * rlimit.MIB + 128 * rlimit.MIB


@pytest.mark.parametrize(
    ("wanted", "soft", "hard", "files", "fit"),
    [
        (1000, 1024, 20_000, 1000 + RESERVED, 1000),
        (10, 1024, 20_000, 1024, 10),
        (1000, 1024, 1024, 1024, 1024 - RESERVED),
        (1000, 1024, 1200, 1200, 1200 - RESERVED),
        (1000, 4096, 4096, 4096, 1000),
        (1000, 256, 256, 256, 1),
        (1000, 1024, -1, 1000 + RESERVED, 1000),
        (1000, -1, -1, -1, 1000),
        (1000, 100_000, -1, 100_000, 1000),
    ],
)
def test_connections_leave_room_for_lanes(
    wanted: int, soft: int, hard: int, files: int, fit: int
) -> None:
    assert rlimit.connections(wanted, soft, hard) == (files, fit)
