"""Which services are healthy."""

import pytest

from loki.core.supervisor.health import health
from loki.messages.lifecycle import ChildState

WHOLE = ("", "loki.v1.LokiService")


def verdict(connected: bool = True, **states: ChildState) -> dict[str, bool]:
    return health(states, connected=connected, whole=WHOLE)


@pytest.mark.parametrize(
    ("state", "serves"),
    [
        (ChildState.STARTING, False),
        (ChildState.UP, True),
        (ChildState.DEGRADED, True),
        (ChildState.RESTARTING, False),
        (ChildState.DOWN, False),
    ],
)
def test_a_child_serves_while_it_is_up(state: ChildState, serves: bool) -> None:
    assert verdict(fenrir=state)["fenrir"] is serves


def test_what_is_switched_off_is_no_service() -> None:
    assert "fenrir" not in verdict(fenrir=ChildState.DISABLED)


@pytest.mark.parametrize(
    ("dispatcher", "fenrir", "whole"),
    [
        (ChildState.UP, ChildState.UP, True),
        (ChildState.UP, ChildState.DOWN, True),
        (ChildState.RESTARTING, ChildState.UP, False),
    ],
)
def test_the_whole_needs_the_dispatcher_alone(
    dispatcher: ChildState, fenrir: ChildState, whole: bool
) -> None:
    found = verdict(dispatcher=dispatcher, fenrir=fenrir)
    assert {name: found[name] for name in WHOLE} == dict.fromkeys(WHOLE, whole)


def test_without_word_from_the_root_nothing_is_known_to_serve() -> None:
    assert set(verdict(connected=False, dispatcher=ChildState.UP).values()) == {False}
    assert verdict() == dict.fromkeys(WHOLE, False)
