"""What the log keeps, what it forgets, and where a watch begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.supervisor.event_log import KIND_OF_FACT, EventLog, kind_of
from loki.messages.event import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    EventKind,
    Fact,
    ScriptChange,
    ScriptChanged,
    SettingsChanged,
)
from loki.messages.lifecycle import ChildState
from loki.messages.script import Origin

FACTS: dict[EventKind, Fact] = {
    EventKind.CHILD_CHANGED: ChildChanged(child="hel", state=ChildState.UP),
    EventKind.SCRIPT_CHANGED: ScriptChanged(
        name="a", revision="r", change=ScriptChange.ADDED, origin=Origin.REGISTERED
    ),
    EventKind.CONFIG_REJECTED: ConfigRejected(file="tools.toml:1", problem="no"),
    EventKind.BUDGET_WARNED: BudgetWarned(
        run="x", script="a", limit="max_memory_mb", used=9, allowed=10
    ),
    EventKind.SETTINGS_CHANGED: SettingsChanged(changed=("queue.max_length",)),
}
CHILD, SCRIPT, _, BUDGET, _ = EventKind
SHARE = 3
CAPACITY = SHARE * len(EventKind)


def log_of(*kinds: EventKind, capacity: int = CAPACITY) -> EventLog:
    log = EventLog("here", capacity)
    for kind in kinds:
        log.record(FACTS[kind], time_ns=0)
    return log


def numbers(log: EventLog, after: int = 0, *kinds: EventKind) -> list[int]:
    return [event.sequence for event in log.since(after, kinds).events]


def test_every_kind_of_fact_has_its_kind() -> None:
    assert set(KIND_OF_FACT.values()) == set(EventKind) == FACTS.keys()
    for kind, fact in FACTS.items():
        assert kind_of(EventLog("x").record(fact, 1)) is kind


def test_events_are_numbered_in_their_order_whatever_their_kind() -> None:
    log = log_of(CHILD, BUDGET, SCRIPT, CHILD)
    assert numbers(log) == [1, 2, 3, 4]
    assert log.last == 4
    assert log.record(FACTS[CHILD], time_ns=77).time_ns == 77


@pytest.mark.parametrize(
    ("after", "kinds", "expected"),
    [
        (0, (), [1, 2, 3, 4]),
        (2, (), [3, 4]),
        (4, (), []),
        (0, (CHILD,), [1, 4]),
        (1, (CHILD, SCRIPT), [3, 4]),
        (0, (EventKind.CONFIG_REJECTED,), []),
    ],
)
def test_what_came_after_a_number(
    after: int, kinds: tuple[EventKind, ...], expected: list[int]
) -> None:
    assert numbers(log_of(CHILD, BUDGET, SCRIPT, CHILD), after, *kinds) == expected


def test_a_flood_of_one_kind_pushes_out_nothing_else() -> None:
    log = log_of(CHILD, SCRIPT, *[BUDGET] * 1000)
    assert numbers(log) == [1, 2, 1000, 1001, 1002]


@pytest.mark.parametrize(
    ("after", "kinds", "complete"),
    [
        (0, (), False),
        (0, (CHILD,), True),
        (2, (), False),
        (3, (), True),
        (3, (BUDGET,), True),
        (2, (BUDGET,), False),
    ],
)
def test_what_was_forgotten_is_admitted(
    after: int, kinds: tuple[EventKind, ...], complete: bool
) -> None:
    log = log_of(CHILD, *[BUDGET] * (SHARE + 2))  # 2 and 3 are forgotten.
    assert log.since(after, kinds).complete is complete


@pytest.mark.parametrize(
    ("after", "log_id", "expected", "complete"),
    [
        (1, "here", [2], True),
        (1, "", [2], True),
        (1, "before the reboot", [1, 2], False),
        (9, "here", [1, 2], False),
        (9, "", [1, 2], False),
    ],
)
def test_a_number_of_another_log_says_nothing(
    after: int, log_id: str, expected: list[int], complete: bool
) -> None:
    recall = log_of(CHILD, CHILD).since(after, log_id=log_id)
    assert [event.sequence for event in recall.events] == expected
    assert recall.complete is complete


@pytest.mark.parametrize(
    ("after", "log_id", "recent", "expected"),
    [
        (0, "", False, []),
        (0, "", True, [1, 2]),
        (1, "", False, [2]),
        (0, "here", False, [1, 2]),
        (2, "here", True, []),
    ],
)
def test_where_a_watch_begins(after: int, log_id: str, recent: bool, expected: list[int]) -> None:
    recall = log_of(CHILD, CHILD).begin(after, log_id, include_recent=recent)
    assert [event.sequence for event in recall.events] == expected
    assert recall.complete


def test_a_log_needs_room_for_each_kind() -> None:
    with pytest.raises(ValueError, match="capacity 4"):
        EventLog("x", len(EventKind) - 1)


@given(st.lists(st.sampled_from(list(EventKind)), max_size=60), st.integers(0, 70))
def test_a_copy_answers_as_its_original_and_goes_on_alike(
    kinds: list[EventKind], after: int
) -> None:
    log = log_of(*kinds)
    copy = EventLog.copy_of(log.log_id, log.last, log.since(0).events, log.forgotten, CAPACITY)
    for _ in range(SHARE + 1):
        assert copy.since(after) == log.since(after)
        assert copy.since(after, (BUDGET,)) == log.since(after, (BUDGET,))
        copy.keep(log.record(FACTS[BUDGET], time_ns=0))
    assert len(log.since(0).events) <= CAPACITY
    assert copy.last == log.last
