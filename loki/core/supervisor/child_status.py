"""How a child fares, as those see it who ask from outside."""

from typing import assert_never

from loki.core.supervisor.state import Child, Phase
from loki.messages.lifecycle import ChildState, ChildStatus
from loki.messages.tree import ActorPlan


def state_of(child: Child) -> ChildState:
    match child.phase:
        case Phase.UP if child.killed:
            return ChildState.RESTARTING
        case Phase.UP:
            return ChildState.DEGRADED if child.trouble else ChildState.UP
        case Phase.WAITING | Phase.STARTING:
            return ChildState.RESTARTING if child.been_up else ChildState.STARTING
        case Phase.STOPPING:
            return ChildState.RESTARTING if child.again else ChildState.DOWN
        case Phase.IDLE | Phase.DELAYED:
            return ChildState.DOWN
        case _:
            assert_never(child.phase)


def status_of(child: Child, plan: ActorPlan, supervisor: str, now_s: float) -> ChildStatus:
    up = child.phase is Phase.UP
    return ChildStatus(
        name=child.spec.name,
        service=plan.service,
        state=state_of(child),
        pid=child.pid,
        incarnation=child.incarnation,
        restarts=child.restarts,
        last_error=child.last_word if child.killed else child.trouble or child.last_reason,
        uptime_s=now_s - child.since_s if up else 0.0,
        heartbeat_age_s=now_s - child.heard_s if up else 0.0,
        address=plan.address,
        supervisor=supervisor,
        supervises=child.spec.supervisor,
    )
