"""Starter, root, supervisors and their children about being alive."""

from enum import Enum

import msgspec

from loki.messages.envelope import Done, Message, Request

ROOT = "loki"
"""The root of the tree, which tells of all that happens in it."""

STARTER = "starter"
"""Who boots the root; it has read the settings."""


class Boot(Message):
    """Parent -> new actor: who you are. The first message of every actor; answered by Ready."""

    name: str  # Unique on the device; also the name of its lane.
    parent: str  # Name of the actor that created it, or of the starter.
    role: str  # "module:attribute" of its Role, imported in the new process only.
    incarnation: int
    run_dir: str
    config: msgspec.Raw  # msgpack, opened by the role.
    previous: str = ""  # The `detail` of the last incarnation's Ready.


class Ready(Message):
    """New actor -> parent: booted and able to serve."""

    name: str
    incarnation: int
    pid: int
    detail: str = ""  # For people and for the next incarnation, such as a bound address.


class Ended(Message):
    """Actor -> parent: my own last word. Its absence means I was killed."""

    name: str
    incarnation: int
    reason: str  # "normal", "shutdown", or the class and text of an error
    traceback: str = ""


class Stop(Message):
    """Parent or starter -> actor: finish within `grace_s` and end."""

    grace_s: float


class ChangeConfig(Request[Done]):
    """Root -> a part of Loki: be configured so from now on. One that fails is restarted."""

    config: msgspec.Raw  # As in Boot.


class SystemUp(Message):
    """Root -> starter: every actor has started. `details` are their Ready.detail by name."""

    details: dict[str, str]


class SystemFailed(Message):
    """Root -> starter: an actor could not start, so neither can the system."""

    name: str
    reason: str


class ChildState(Enum):
    """Of a service, as GetChildrenStatus shows it."""

    STARTING = "starting"
    UP = "up"
    DEGRADED = "degraded"
    RESTARTING = "restarting"
    DOWN = "down"
    DISABLED = "disabled"


class ChildStatus(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: ChildState
    service: bool = True  # A child that scripts may call; else a part of Loki itself.
    pid: int = 0
    incarnation: int = 0
    restarts: int = 0
    last_error: str = ""
    uptime_s: float = 0.0
    heartbeat_age_s: float = 0.0
    address: str = ""  # Node name in the cluster; "" is this device.
    supervisor: str = ""  # Who starts it again.
    supervises: bool = False  # Whether it has children of its own.


class ChildrenListed(Message):
    children: tuple[ChildStatus, ...]


class DescribeChildren(Request[ChildrenListed]):
    """Gateway -> root: what runs, and how it fares."""


class Pong(Message):
    name: str
    pid: int
    trouble: str = ""  # Why it serves less than it should, for people.


class Ping(Request[Pong]):
    """Anybody -> anybody: are you answering?"""
