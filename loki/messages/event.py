"""What happens to Loki itself: its parts tell the root, and the root tells the gateway."""

from enum import Enum
from typing import TypeAlias

import msgspec

from loki.messages.envelope import Message, Request
from loki.messages.lifecycle import ChildState, ChildStatus
from loki.messages.script import Origin


class EventKind(Enum):
    """What an event tells of."""

    CHILD_CHANGED = "child_changed"
    SCRIPT_CHANGED = "script_changed"
    CONFIG_REJECTED = "config_rejected"
    BUDGET_WARNED = "budget_warned"
    SETTINGS_CHANGED = "settings_changed"


class ScriptChange(Enum):
    """What became of a script."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class ChildChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A child of the root fares otherwise than before."""

    child: str
    state: ChildState
    pid: int = 0  # 0 while there is no process.
    incarnation: int = 0
    restarts: int = 0
    reason: str = ""  # Why it ended or degraded last; "" if it never did.


class ScriptChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str
    revision: str  # Of a removed script, the one it had.
    change: ScriptChange
    origin: Origin


class ConfigRejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An entry of a file does not hold; the others do."""

    file: str
    problem: str


class BudgetWarned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A run used 80 % of a limit, or more. `used` and `allowed` are in the unit of the limit."""

    run: str
    script: str
    limit: str
    used: float
    allowed: float
    left_out: int = 0  # Warnings that nobody was told of, just before this one.


class SettingsChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Other settings hold, or will when Loki starts again; settings by their dotted keys."""

    changed: tuple[str, ...]  # These hold now.
    waiting: tuple[str, ...] = ()  # All that wait for the next start, also of earlier edits.
    restarted: tuple[str, ...] = ()  # Children that had to be, to take them.
    version: int = 0  # Under which they are kept; 0 where nobody keeps versions, or not now.


Fact: TypeAlias = ChildChanged | ScriptChanged | ConfigRejected | BudgetWarned | SettingsChanged


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact as the log has it."""

    sequence: int  # Grows by one with each event of the log.
    time_ns: int  # Wall clock of the device when the root heard of it.
    fact: Fact


class EventHappened(Message):
    """Any child of the root -> root."""

    fact: Fact


class EventRecorded(Message):
    """Root -> gateway: the next event of the log."""

    event: Event


class EventsRecalled(Message):
    """The whole log, and how the children fare. What comes later comes as EventRecorded."""

    log_id: str  # Another one after a restart of the root, which counts from 1 again.
    last: int  # The newest sequence number.
    events: tuple[Event, ...]
    forgotten: dict[EventKind, int]  # The newest that is not in the log any more, by kind.
    children: tuple[ChildStatus, ...]


class SubscribeEvents(Request[EventsRecalled]):
    """Gateway -> root: tell me all, and from now on everything."""
