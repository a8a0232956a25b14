"""How long a script waits for a child that is down, and how often it looks."""

import pytest

from loki.core.run.patience import FIRST_LOOK_S, LONGEST_S, child_down, next_look_s
from loki.errors import ErrorCode


@pytest.mark.parametrize(
    ("waited_s", "wait_ms", "next_s"),
    [
        (0.0, 0, None),  # Who does not wait is told at once.
        (0.0, 1000, FIRST_LOOK_S),
        (0.02, 1000, 0.01),
        (0.5, 1000, LONGEST_S),
        (0.99, 1000, 0.01),  # The last look is at the end.
        (1.0, 1000, None),
        (5.0, 1000, None),
        (0.0, 1, 0.001),
    ],
)
def test_when_the_child_is_asked_again(waited_s: float, wait_ms: int, next_s: float | None) -> None:
    assert next_look_s(waited_s, wait_ms) == (None if next_s is None else pytest.approx(next_s))


@pytest.mark.parametrize("wait_ms", [1, 7, 100, 5000, 60_000])
def test_all_looks_together_last_as_long_as_was_allowed(wait_ms: int) -> None:
    waited_s, looks = 0.0, 0
    while (again_s := next_look_s(waited_s, wait_ms)) is not None:
        assert 0 < again_s <= LONGEST_S
        waited_s, looks = waited_s + again_s, looks + 1
    assert waited_s == pytest.approx(wait_ms / 1000)
    assert looks <= 12 + wait_ms / 1000 / LONGEST_S


def test_the_refusal_says_what_would_help() -> None:
    at_once, later = child_down("fenrir", 0), child_down("fenrir", 250)
    for failure in (at_once, later):
        assert failure.code is ErrorCode.CHILD_DOWN
        assert failure.details == {"child": "fenrir"}
        assert failure.retry_after_s is not None
        assert "wait_for_child_ms" in failure.message
    assert "250" in later.message
