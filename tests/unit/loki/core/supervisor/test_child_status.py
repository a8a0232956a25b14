"""What those see who ask how a child fares."""

from dataclasses import replace
from typing import Any

import pytest

from loki.core.supervisor.child_status import state_of, status_of
from loki.core.supervisor.spec import ChildSpec
from loki.core.supervisor.state import Child, Phase
from loki.messages.lifecycle import ChildState
from loki.messages.tree import ActorPlan

UP = Child(ChildSpec("a"), Phase.UP, incarnation=3, pid=7, since_s=100.0, heard_s=109.5)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"phase": Phase.UP}, ChildState.UP),
        ({"phase": Phase.UP, "trouble": "the disk fails"}, ChildState.DEGRADED),
        ({"phase": Phase.UP, "trouble": "the disk fails", "killed": True}, ChildState.RESTARTING),
        ({"phase": Phase.UP, "killed": True}, ChildState.RESTARTING),
        ({"phase": Phase.WAITING}, ChildState.STARTING),
        ({"phase": Phase.STARTING}, ChildState.STARTING),
        ({"phase": Phase.WAITING, "been_up": True}, ChildState.RESTARTING),
        ({"phase": Phase.STARTING, "been_up": True}, ChildState.RESTARTING),
        ({"phase": Phase.STOPPING, "again": True}, ChildState.RESTARTING),
        ({"phase": Phase.STOPPING}, ChildState.DOWN),
        ({"phase": Phase.IDLE}, ChildState.DOWN),
        ({"phase": Phase.DELAYED}, ChildState.DOWN),
    ],
)
def test_state(given: dict[str, Any], state: ChildState) -> None:
    assert state_of(replace(UP, **given)) is state


def test_one_that_is_up_says_for_how_long_and_when_it_was_last_heard() -> None:
    """S-3.1.3."""
    plan = ActorPlan(name="a", role="", config=b"", service=True, address="node")  # type: ignore[arg-type]
    status = status_of(UP, plan, "loki", 110.0)
    assert (status.uptime_s, status.heartbeat_age_s) == (10.0, 0.5)
    assert (status.pid, status.restarts, status.incarnation) == (7, 2, 3)
    assert (status.service, status.address) == (True, "node")
    assert (status.supervisor, status.supervises) == ("loki", False)
    down = status_of(replace(UP, phase=Phase.IDLE, last_reason="killed"), plan, "loki", 110.0)
    doomed = status_of(replace(UP, killed=True, last_word="hung", last_reason="x"), plan, "", 110.0)
    assert (doomed.state, doomed.last_error) == (ChildState.RESTARTING, "hung")
    degraded = status_of(replace(UP, trouble="disk", last_reason="killed"), plan, "loki", 110.0)
    assert (degraded.state, degraded.last_error, degraded.uptime_s) == (
        ChildState.DEGRADED,
        "disk",
        10.0,
    )
    assert (down.uptime_s, down.heartbeat_age_s, down.last_error) == (0.0, 0.0, "killed")
