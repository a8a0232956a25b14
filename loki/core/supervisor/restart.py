"""What a death calls for: a restart now, later, with others, or the end of the supervisor."""

import random
from dataclasses import replace
from typing import assert_never

from loki.core.supervisor.spec import AutoShutdown, Backoff, Strategy
from loki.core.supervisor.state import Child, Decision, Phase, Supervisor, WakeAt


def significant(supervisor: Supervisor, gone: Child) -> Supervisor:
    """A supervisor ends with the children that it is there for."""
    if not gone.spec.significant:
        return supervisor
    others = any(c.spec.significant and c.phase is not Phase.IDLE for c in supervisor.children)
    match supervisor.spec.auto_shutdown:
        case AutoShutdown.NEVER:
            return supervisor
        case AutoShutdown.ALL_SIGNIFICANT if others:
            return supervisor
        case AutoShutdown.ALL_SIGNIFICANT | AutoShutdown.ANY_SIGNIFICANT:
            return supervisor.ending(f"shutdown: {gone.spec.name} has ended")
        case _:
            assert_never(supervisor.spec.auto_shutdown)


def restart(supervisor: Supervisor, gone: Child, up_s: float, now_s: float) -> Decision:
    if gone.spec.backoff is not None:
        wanted = _counted(supervisor, gone, gone.spec.backoff, up_s, now_s)
        wake = (WakeAt(wanted.due_s),) if wanted.phase is Phase.DELAYED else ()
        return _with_group(supervisor.put(wanted), wanted), wake
    spec = supervisor.spec
    restarts_s = recent((*supervisor.restarts_s, now_s), spec.period_s, now_s)
    supervisor = replace(supervisor, restarts_s=restarts_s)
    if len(restarts_s) > spec.intensity:
        reason = (
            f"shutdown: more than {spec.intensity} restarts within {spec.period_s:g} s; "
            f"the last was for {gone.spec.name}: {gone.last_reason}"
        )
        return supervisor.put(gone).ending(reason), ()
    wanted = replace(gone, phase=Phase.WAITING)
    return _with_group(supervisor.put(wanted), wanted), ()


def recent(times_s: tuple[float, ...], period_s: float, now_s: float) -> tuple[float, ...]:
    """Those within the last period."""
    return tuple(time_s for time_s in times_s if now_s - time_s <= period_s)


def _counted(
    supervisor: Supervisor, gone: Child, backoff: Backoff, up_s: float, now_s: float
) -> Child:
    """Wanted again at once, or after a delay."""
    quiet = up_s >= backoff.quiet_s
    deaths_s = (now_s,) if quiet else (*gone.deaths_s, now_s)
    attempts = 0 if quiet else gone.attempts
    deaths_s = recent(deaths_s, backoff.period_s, now_s)
    if not attempts and len(deaths_s) <= backoff.intensity:
        return replace(gone, phase=Phase.WAITING, deaths_s=deaths_s, attempts=0)
    attempts += 1
    chance = random.Random(f"{supervisor.seed} {gone.spec.name} {gone.incarnation}").random()  # noqa: S311  # No secret; the same seed gives the same delays.
    due_s = now_s + backoff.delay_s(attempts, chance)
    return replace(
        gone, phase=Phase.DELAYED, due_s=due_s, since_s=now_s, deaths_s=deaths_s, attempts=attempts
    )


def _with_group(supervisor: Supervisor, trigger: Child) -> Supervisor:
    """Those that restart with it, have to stop first."""
    for child in _others(supervisor, trigger):
        if child.alive:
            supervisor = supervisor.put(replace(child, stop=True, again=True))
        elif child.phase is Phase.IDLE:
            supervisor = supervisor.put(replace(child, phase=Phase.WAITING))
    return supervisor


def _others(supervisor: Supervisor, trigger: Child) -> tuple[Child, ...]:
    names = [child.spec.name for child in supervisor.children]
    place = names.index(trigger.spec.name)
    before, after = supervisor.children[:place], supervisor.children[place + 1 :]
    match supervisor.spec.strategy:
        case Strategy.ONE_FOR_ONE | Strategy.DYNAMIC:
            return ()
        case Strategy.ONE_FOR_ALL:
            return before + after
        case Strategy.REST_FOR_ONE:
            return after
        case _:
            assert_never(supervisor.spec.strategy)
