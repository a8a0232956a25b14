"""How the runners fare, as those see it who ask from outside."""

from collections.abc import Iterable, Mapping

from loki.core.runner.pool import Runner, RunnerPhase
from loki.messages.lifecycle import ChildState, ChildStatus

STATE_OF_PHASE = {
    RunnerPhase.STARTING: ChildState.STARTING,
    RunnerPhase.IDLE: ChildState.UP,
    RunnerPhase.BUSY: ChildState.UP,
    RunnerPhase.DOOMED: ChildState.DOWN,
}


def statuses(
    runners: Iterable[Runner], pids: Mapping[str, int], supervisor: str, now_s: float
) -> tuple[ChildStatus, ...]:
    """One for each, in the order of their starts. None of them is ever started again."""
    return tuple(
        ChildStatus(
            name=runner.name,
            service=False,
            state=STATE_OF_PHASE[runner.phase],
            pid=pids.get(runner.name, 0),
            incarnation=1,
            uptime_s=now_s - runner.began_s,
            supervisor=supervisor,
        )
        for runner in runners
    )
