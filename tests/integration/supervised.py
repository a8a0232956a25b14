"""A supervisor around some actors, for tests that are about something else."""

import msgspec

from loki.core.supervisor.supervision import ChildSpec, SupervisorSpec
from loki.messages.tree import ActorPlan, SupervisorConfig


def supervised(
    actors: tuple[ActorPlan, ...], run_dir: str, start_timeout_s: float = 10.0
) -> SupervisorConfig:
    """One for one, and patient with those that restart."""
    children = tuple(ChildSpec(actor.name, start_timeout_s=start_timeout_s) for actor in actors)
    spec = SupervisorSpec(children, intensity=100)
    packed = msgspec.Raw(msgspec.msgpack.encode(spec))
    return SupervisorConfig(actors=actors, spec=packed, run_dir=run_dir)
