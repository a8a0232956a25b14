"""What supervisors are told at boot: which actors they look after."""

import msgspec


class ActorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One actor of the tree."""

    name: str
    role: str  # "module:Class"
    config: msgspec.Raw  # msgpack for the role.
    service: bool = False  # Shown in GetChildrenStatus.
    address: str = ""  # Node of the cluster; "" is this device.


class SupervisorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor with its children in start order; for a dynamic one, their template."""

    actors: tuple[ActorPlan, ...]
    spec: msgspec.Raw  # A packed core.supervisor_spec.SupervisorSpec about those actors.
    run_dir: str
    disabled: tuple[str, ...] = ()  # Services that the settings switch off.
