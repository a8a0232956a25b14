"""Budgets as numbers."""

from itertools import permutations

import pytest

from loki.core.budget import Action, Use, check, check_all


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
