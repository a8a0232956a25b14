"""Administrators with a supervisor: what is done to its children by hand.

Every request is answered when it is done; a refusal is a Failure whose details name it as
`refusal`: "not_found", "running", "restarting", "already_present", "already_started",
"start_failed", "stopped", "illegal" or "ending".
"""

import msgspec

from loki.messages.envelope import Change, Done, Message, Request
from loki.messages.tree import ActorPlan, SupervisorConfig


class ActorRuns(Message):
    pid: int


class ActorsCounted(Message):
    specs: int
    active: int  # With a process.
    supervisors: int
    workers: int


class ActorSpecFound(Message):
    spec: msgspec.Raw  # A packed core.supervisor_spec.ChildSpec.


class StartActor(Request[ActorRuns]):
    """Add a child and start it. A dynamic supervisor takes only the name: it has a template."""

    actor: ActorPlan
    spec: msgspec.Raw  # A packed core.supervisor_spec.ChildSpec.


class StopActor(Request[Done]):
    """Stop a child. It can be restarted, unless it is temporary."""

    name: str


class RestartActor(Request[ActorRuns]):
    """Start a child that was stopped or has ended."""

    name: str


class ResetActor(Change[ActorRuns]):
    """Forget how often a child failed; start it now if it is out of service."""

    name: str


class DeleteActor(Request[Done]):
    """Forget a child that is not running."""

    name: str


class CountActors(Request[ActorsCounted]):
    pass


class GetActorSpec(Request[ActorSpecFound]):
    name: str


class LimitRestarts(Request[Done]):
    """From now on, more than `intensity` restarts within `period_s` are too many."""

    intensity: int
    period_s: float


class PlanChanged(Message):
    restarted: tuple[str, ...]  # Who could not take its new configuration otherwise.


class ChangePlan(Request[PlanChanged]):
    """Library -> root: the same actors, perhaps with other configurations, and other limits."""

    plan: SupervisorConfig
