"""The supervision tree of one device: who is started, in which order, and what restarts with what.

`docs/explanation/supervision.md` tells why.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from loki.child import Child
from loki.config import SupervisionSettings
from loki.core.supervisor.spec import Backoff, ChildSpec, Strategy, SupervisorSpec
from loki.messages.dispatch import DispatcherConfig
from loki.messages.gateway import GatewayConfig
from loki.messages.library import LibraryConfig
from loki.messages.tree import ActorPlan, SupervisorConfig

Member: TypeAlias = tuple[ActorPlan, ChildSpec]

READING_S = 60.0
"""The library reads and compiles thousands of scripts before it is ready, on slow devices too."""

OUTSIDE = Backoff(intensity=3, period_s=5.0, shortest_s=1.0, longest_s=30.0)
"""Of children that depend on hardware or a network: the rest runs on without them."""


def plan(
    children: Sequence[tuple[Child, msgspec.Raw]],
    *,
    library: LibraryConfig,
    dispatcher: DispatcherConfig,
    gateway: GatewayConfig,
    supervision: SupervisionSettings,
) -> SupervisorConfig:
    """Data first, for others keep theirs there; the gateway last, when there is what it offers.

    One for one: each part finds the others again by name, and tells them what they have to know.
    """
    vital_first = sorted(children, key=lambda child: not child[0].vital)
    members = [
        *(_service(child, config) for child, config in vital_first),
        _part("library", "loki.actors.library.library:Library", library, start_timeout_s=READING_S),
        _part(
            "dispatcher",
            "loki.actors.dispatcher.dispatcher:Dispatcher",
            dispatcher,
            supervisor=True,
        ),
        _part("gateway", "loki.grpc_gateway.server:Gateway", gateway, drain_s=gateway.grpc.drain_s),
    ]
    spec = SupervisorSpec(
        children=tuple(spec for _, spec in members),
        strategy=Strategy.ONE_FOR_ONE,
        intensity=supervision.intensity,
        period_s=supervision.period_s,
        heartbeat_s=supervision.heartbeat_ms / 1000,
    )
    return SupervisorConfig(
        actors=tuple(actor for actor, _ in members),
        spec=msgspec.Raw(msgspec.msgpack.encode(spec)),
        run_dir=dispatcher.run_dir,
        disabled=dispatcher.disabled,
    )


def _service(child: Child, config: msgspec.Raw) -> Member:
    name = child.module.child
    actor = ActorPlan(name=name, role=child.role, config=config, service=True)
    return actor, ChildSpec(
        name,
        missed_heartbeats=child.missed_heartbeats,
        backoff=None if child.vital else OUTSIDE,
    )


def _part(
    name: str,
    role: str,
    config: msgspec.Struct,
    *,
    supervisor: bool = False,
    start_timeout_s: float = 10.0,
    drain_s: float = 0.0,
) -> Member:
    raw = msgspec.Raw(msgspec.msgpack.encode(config))
    spec = ChildSpec(name, supervisor=supervisor, start_timeout_s=start_timeout_s, drain_s=drain_s)
    return ActorPlan(name=name, role=role, config=raw), spec
