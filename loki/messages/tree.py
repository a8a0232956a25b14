"""What the root and the starter are told at boot: which actors make up the system."""

import msgspec


class ActorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One actor of the tree."""

    name: str
    role: str  # "module:Class"
    config: msgspec.Raw  # msgpack for the role.
    service: bool = False  # Shown in GetChildrenStatus.
    address: str = ""  # Node of the cluster; "" is this device.


class RootConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole tree in start order, and the services that are switched off."""

    actors: tuple[ActorPlan, ...]
    disabled: tuple[str, ...] = ()
    run_dir: str
