"""Which differences between two looks at the children are news."""

from typing import Any

import pytest

from loki.core.supervisor.child_change import LONGEST_REASON, changes
from loki.messages.event import ChildChanged
from loki.messages.lifecycle import ChildState, ChildStatus

UP, STARTING, DOWN = ChildState.UP, ChildState.STARTING, ChildState.DOWN


def child(state: ChildState = UP, name: str = "hel", **more: Any) -> ChildStatus:
    return ChildStatus(name=name, state=state, **more)


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        (child(STARTING), child(UP), True),
        (child(UP, pid=1), child(DOWN), True),
        (child(UP, incarnation=1), child(UP, incarnation=2), True),
        (child(restarts=0), child(restarts=1), True),
        (child(last_error=""), child(ChildState.DEGRADED, last_error="no bus"), True),
        (child(last_error="a"), child(last_error="b"), True),
        (child(), child(), False),
        (child(uptime_s=1), child(uptime_s=2), False),
        (child(heartbeat_age_s=1), child(heartbeat_age_s=2), False),
        (child(STARTING, pid=0), child(STARTING, pid=7), False),
    ],
)
def test_what_is_news(before: ChildStatus, after: ChildStatus, news: bool) -> None:
    assert [change.child for change in changes([before], [after])] == ["hel"] * news


def test_all_that_is_known_is_told() -> None:
    after = child(pid=7, incarnation=3, restarts=2, last_error="killed")
    assert changes([child()], [after]) == [
        ChildChanged(child="hel", state=UP, pid=7, incarnation=3, restarts=2, reason="killed")
    ]


@pytest.mark.parametrize(
    ("first", "news"),
    [
        (child(STARTING), False),  # It waits for its turn.
        (child(STARTING, incarnation=1), True),
        (child(UP, incarnation=1), True),
        (child(ChildState.DISABLED), True),
    ],
)
def test_a_child_that_was_not_there_before(first: ChildStatus, news: bool) -> None:
    assert bool(changes([], [first])) is news


def test_a_deleted_child_is_down_unless_it_was_before() -> None:
    (gone,) = changes([child(name="a", pid=5, incarnation=2), child(DOWN, name="b")], [])
    assert gone == ChildChanged(child="a", state=DOWN, incarnation=2, reason="deleted")


def test_the_order_is_that_of_the_children() -> None:
    names = ["c", "a", "b"]
    after = [child(name=name, incarnation=1) for name in names]
    assert [change.child for change in changes([], after)] == names


def test_a_long_reason_is_cut() -> None:
    (change,) = changes([], [child(last_error="x" * (LONGEST_REASON + 1))])
    assert change.reason == "x" * LONGEST_REASON
