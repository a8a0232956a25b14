"""What happens to a Loki itself, as plain Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypedDict

from loki.client.event import Stamped
from loki.v1 import device_pb2, event_pb2, script_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildChanged(Stamped):
    """A child, or a part of Loki itself, came up, ended or restarts."""

    child: str
    state: str  # Such as "up".
    pid: int  # 0 while there is no process.
    incarnation: int
    restarts: int
    reason: str  # Why it ended or degraded last; "" if it never did.


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptChanged(Stamped):
    """A script was added, changed or removed."""

    name: str
    revision: str
    change: str  # "added", "changed" or "removed"
    origin: str  # "file" or "registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRejected(Stamped):
    """An entry of a file was refused."""

    file: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWarned(Stamped):
    """An execution has used 80 % of a limit; `used` and `allowed` are in the limit's unit."""

    execution_id: str
    script: str
    limit: str
    used: float
    allowed: float
    left_out: int  # Warnings just before this one that were not told.


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged(Stamped):
    """The file of the settings changed; settings are named by their dotted keys."""

    changed: tuple[str, ...]  # These hold now.
    waiting: tuple[str, ...]  # All that hold when Loki starts again.
    restarted: tuple[str, ...]  # Children that had to be restarted to take them.
    version: int = 0  # Under which they are kept; 0 where none is, or not now.


SystemEvent: TypeAlias = (
    ChildChanged | ScriptChanged | ConfigRejected | BudgetWarned | SettingsChanged
)

KINDS: Mapping[str, "event_pb2.EventKind"] = {
    "child": event_pb2.EVENT_KIND_CHILD_CHANGED,
    "script": event_pb2.EVENT_KIND_SCRIPT_CHANGED,
    "config": event_pb2.EVENT_KIND_CONFIG_REJECTED,
    "budget": event_pb2.EVENT_KIND_BUDGET_WARNED,
    "settings": event_pb2.EVENT_KIND_SETTINGS_CHANGED,
}
KIND_OF_CLASS: Mapping[type[SystemEvent], str] = {
    ChildChanged: "child",
    ScriptChanged: "script",
    ConfigRejected: "config",
    BudgetWarned: "budget",
    SettingsChanged: "settings",
}
"""What a kind of event is called."""


def kind_number(kind: str) -> "event_pb2.EventKind":
    """Raises: ValueError for what is no kind."""
    if kind not in KINDS:
        raise ValueError(f"'{kind}' is no kind of event; there are {', '.join(KINDS)}")
    return KINDS[kind]


def system_event_of(event: event_pb2.SystemEvent) -> SystemEvent | None:
    """None for a kind of event that a newer server knows and we do not."""
    match event.WhichOneof("fact"):
        case "child_changed":
            return _child(event)
        case "script_changed":
            return _script(event)
        case "config_rejected":
            rejected = event.config_rejected
            return ConfigRejected(**_stamp(event), file=rejected.file, problem=rejected.problem)
        case "budget_warned":
            return _budget(event)
        case "settings_changed":
            return _settings(event)
        case _:
            return None


class _Stamp(TypedDict):
    sequence: int
    time: datetime


def _stamp(event: event_pb2.SystemEvent) -> _Stamp:
    return {"sequence": event.sequence, "time": event.time.ToDatetime(UTC)}


def _child(event: event_pb2.SystemEvent) -> ChildChanged:
    child = event.child_changed
    return ChildChanged(
        **_stamp(event),
        child=child.child,
        state=_word(device_pb2.ChildState, child.state),
        pid=child.pid,
        incarnation=child.incarnation,
        restarts=child.restarts,
        reason=child.reason,
    )


def _script(event: event_pb2.SystemEvent) -> ScriptChanged:
    script = event.script_changed
    return ScriptChanged(
        **_stamp(event),
        name=script.name,
        revision=script.revision,
        change=_word(event_pb2.ScriptChange, script.change),
        origin=_word(script_pb2.ScriptOrigin, script.origin),
    )


def _budget(event: event_pb2.SystemEvent) -> BudgetWarned:
    warned = event.budget_warned
    return BudgetWarned(
        **_stamp(event),
        execution_id=warned.execution_id,
        script=warned.script,
        limit=warned.limit,
        used=warned.used,
        allowed=warned.allowed,
        left_out=warned.left_out,
    )


def _settings(event: event_pb2.SystemEvent) -> SettingsChanged:
    settings = event.settings_changed
    return SettingsChanged(
        **_stamp(event),
        changed=tuple(settings.changed),
        waiting=tuple(settings.waiting),
        restarted=tuple(settings.restarted),
        version=settings.version,
    )


def _word(enum: Any, number: int) -> str:
    """The last word of the value's name, such as "up"; its number where a newer server has more."""
    known: dict[int, str] = {value: name for name, value in enum.items()}
    return known.get(number, str(number)).rpartition("_")[2].lower()
