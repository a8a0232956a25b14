"""Between system events of `loki.v1` and those of the actors; no decisions."""

from loki.core.supervisor.event_log import Recall
from loki.grpc_gateway.convert.device import NAME_OF_STATE
from loki.grpc_gateway.convert.field import count_of, enums_of
from loki.grpc_gateway.convert.script import NAME_OF_ORIGIN
from loki.messages.event import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    Event,
    EventKind,
    ScriptChange,
    ScriptChanged,
    SettingsChanged,
)
from loki.v1 import event_pb2, service_pb2

NAME_OF_KIND = {kind: f"EVENT_KIND_{kind.name}" for kind in EventKind}
KIND_OF_NUMBER = {event_pb2.EventKind.Value(name): kind for kind, name in NAME_OF_KIND.items()}
NAME_OF_CHANGE = {change: f"SCRIPT_CHANGE_{change.name}" for change in ScriptChange}


def kinds_of(request: service_pb2.WatchEventsRequest) -> frozenset[EventKind]:
    """Raises: InvalidArgument for a kind that does not exist."""
    return enums_of(request, "kinds", KIND_OF_NUMBER)


def sequence_of(request: service_pb2.WatchEventsRequest) -> int:
    """Raises: InvalidArgument."""
    return count_of(request, "after_sequence")


def watch_started(recall: Recall, last: int, log_id: str) -> service_pb2.WatchEventsResponse:
    return service_pb2.WatchEventsResponse(
        started=event_pb2.WatchStarted(
            sequence=last,
            log_id=log_id,
            recent=len(recall.events),
            incomplete=not recall.complete,
        )
    )


def event_response(event: Event, left_out: int) -> service_pb2.WatchEventsResponse:
    return service_pb2.WatchEventsResponse(event=event_to_proto(event), left_out=left_out)


def event_to_proto(event: Event) -> event_pb2.SystemEvent:
    told = event_pb2.SystemEvent(sequence=event.sequence)
    told.time.FromNanoseconds(event.time_ns)
    match event.fact:
        case ChildChanged() as fact:
            told.child_changed.CopyFrom(_child(fact))
        case ScriptChanged() as fact:
            told.script_changed.CopyFrom(_script(fact))
        case ConfigRejected(file=file, problem=problem):
            told.config_rejected.CopyFrom(event_pb2.ConfigRejected(file=file, problem=problem))
        case BudgetWarned() as fact:
            told.budget_warned.CopyFrom(_budget(fact))
        case SettingsChanged() as fact:
            told.settings_changed.CopyFrom(_settings(fact))
    return told


def _child(fact: ChildChanged) -> event_pb2.ChildChanged:
    return event_pb2.ChildChanged(
        child=fact.child,
        state=NAME_OF_STATE[fact.state],
        pid=fact.pid,
        incarnation=fact.incarnation,
        restarts=fact.restarts,
        reason=fact.reason,
    )


def _script(fact: ScriptChanged) -> event_pb2.ScriptChanged:
    return event_pb2.ScriptChanged(
        name=fact.name,
        revision=fact.revision,
        change=NAME_OF_CHANGE[fact.change],
        origin=NAME_OF_ORIGIN[fact.origin],
    )


def _budget(fact: BudgetWarned) -> event_pb2.BudgetWarned:
    return event_pb2.BudgetWarned(
        execution_id=fact.run,
        script=fact.script,
        limit=fact.limit,
        used=fact.used,
        allowed=fact.allowed,
        left_out=fact.left_out,
    )


def _settings(fact: SettingsChanged) -> event_pb2.SettingsChanged:
    return event_pb2.SettingsChanged(
        changed=fact.changed,
        waiting=fact.waiting,
        restarted=fact.restarted,
        version=fact.version,
    )
