"""Budgets as numbers."""

from itertools import permutations

import pytest

from loki.core.run.budget import LIMIT_OF_CAUSE, SHOWN, Action, Use, check, check_all, due, left
from loki.core.run.execution import CAUSE_OF_CODE
from loki.core.run.limit import NAMES
from loki.errors import ErrorCode


@pytest.mark.parametrize(
    ("used", "allowed", "action"),
    [
        (0, 100, Action.NONE),
        (79.9, 100, Action.NONE),
        (80, 100, Action.WARNING),
        (100, 100, Action.WARNING),
        (100.1, 100, Action.CRITICAL),
        (1, 1, Action.WARNING),
        (2, 1, Action.CRITICAL),
        (10**9, 0, Action.NONE),
        (0, 0, Action.NONE),
    ],
)
def test_s_5_1_1_all_of_a_budget_may_be_used(used: float, allowed: float, action: Action) -> None:
    assert check(used, allowed) is action


@pytest.mark.parametrize(
    ("shares", "worst"),
    [
        ((), Action.NONE),
        ((10, 20, 30), Action.NONE),
        ((10, 85, 30), Action.WARNING),
        ((10, 85, 130), Action.CRITICAL),
        ((101, 101, 90), Action.CRITICAL),
    ],
)
def test_s_5_3_3_the_worst_action_counts_in_any_order(
    shares: tuple[float, ...], worst: Action
) -> None:
    for order in permutations(shares):
        assert check_all(Use("max_memory_mb", used, 100) for used in order) is worst


MEMORY, CPU = Use("max_memory_mb", 9, 10), Use("max_cpu_time_ms", 10, 100)


def test_s_5_3_2_each_limit_is_warned_of_once() -> None:
    assert due((CPU, MEMORY), ()) == [MEMORY]
    assert due((CPU, MEMORY), ("max_memory_mb",)) == []


def test_s_5_3_2_what_ended_the_run_counts_whatever_is_seen_of_it() -> None:
    assert due((CPU, MEMORY), (), "max_cpu_time_ms") == [CPU, MEMORY]
    assert due((CPU,), ("max_cpu_time_ms",), "max_cpu_time_ms") == []


def test_every_budget_that_ends_runs_has_its_limit() -> None:
    causes = {CAUSE_OF_CODE[code] for code in ErrorCode if code.value.endswith("_BUDGET")}
    assert causes - set(LIMIT_OF_CAUSE) == {CAUSE_OF_CODE[ErrorCode.DISK_BUDGET]}
    assert set(SHOWN) <= set(NAMES)


def test_scripts_see_what_is_left_in_their_own_units() -> None:
    uses = (
        Use("max_execution_time_ms", 1500.5, 5000),
        Use("max_memory_mb", 1.5, 10),
        Use("max_output_kb", 300, 256),
        Use("max_calls_in_flight", 1, 16),
        Use("max_cpu_time_ms", 10, 0),
    )
    assert left(uses) == {
        "wall_ms": 3499.5,
        "memory_bytes": 8912896,
        "output_bytes": 0,
        "calls_in_flight": 15,
        "allowed": {
            "wall_ms": 5000.0,
            "memory_bytes": 10485760,
            "output_bytes": 262144,
            "calls_in_flight": 16,
        },
    }


def test_the_least_that_is_left_counts() -> None:
    callers, own = Use("max_cpu_time_ms", 90, 100), Use("max_cpu_time_ms", 1, 50)
    for order in ((callers, own), (own, callers)):
        assert left(order) == {"cpu_ms": 10.0, "allowed": {"cpu_ms": 100.0}}
