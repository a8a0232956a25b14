"""The last events of each kind, numbered in the order in which they were heard of.

Each kind has a share of its own: a flood of one kind, which hostile scripts may cause, pushes out
nothing of the others.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import merge

from loki.messages.event import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    Event,
    EventKind,
    Fact,
    ScriptChanged,
    SettingsChanged,
)

CAPACITY = 1000
KIND_OF_FACT: dict[type[Fact], EventKind] = {
    ChildChanged: EventKind.CHILD_CHANGED,
    ScriptChanged: EventKind.SCRIPT_CHANGED,
    ConfigRejected: EventKind.CONFIG_REJECTED,
    BudgetWarned: EventKind.BUDGET_WARNED,
    SettingsChanged: EventKind.SETTINGS_CHANGED,
}


def kind_of(event: Event) -> EventKind:
    return KIND_OF_FACT[type(event.fact)]


@dataclass(frozen=True, slots=True)
class Recall:
    """Events in their order; `complete` where the log has forgotten none of what was asked for."""

    events: tuple[Event, ...]
    complete: bool


class EventLog:
    """Bounded: of each kind it forgets the oldest."""

    def __init__(self, log_id: str, capacity: int = CAPACITY) -> None:
        """Raises: ValueError for a capacity that has no room for each kind."""
        share = capacity // len(EventKind)
        if share < 1:
            raise ValueError(f"capacity {capacity} is less than the {len(EventKind)} kinds")
        self.log_id = log_id
        self.last = 0
        self.forgotten: dict[EventKind, int] = dict.fromkeys(EventKind, 0)
        self._events: dict[EventKind, deque[Event]] = {k: deque(maxlen=share) for k in EventKind}

    @classmethod
    def copy_of(
        cls,
        log_id: str,
        last: int,
        events: Iterable[Event],
        forgotten: Mapping[EventKind, int],
        capacity: int = CAPACITY,
    ) -> "EventLog":
        """A log with the content of another, which has the same capacity."""
        log = cls(log_id, capacity)
        for event in events:
            log.keep(event)
        log.last = last
        log.forgotten |= forgotten
        return log

    def record(self, fact: Fact, time_ns: int) -> Event:
        """The event that this fact becomes; `time_ns` is the wall clock."""
        event = Event(sequence=self.last + 1, time_ns=time_ns, fact=fact)
        self.keep(event)
        return event

    def keep(self, event: Event) -> None:
        """Take over an event that has its number already."""
        kind = kind_of(event)
        held = self._events[kind]
        if len(held) == held.maxlen:
            self.forgotten[kind] = held[0].sequence
        held.append(event)
        self.last = event.sequence

    def begin(
        self,
        sequence: int,
        log_id: str = "",
        kinds: Collection[EventKind] = (),
        *,
        include_recent: bool,
    ) -> Recall:
        """What a watch begins with: all, or what came after where another one ended, or nothing."""
        if include_recent or sequence or log_id:
            return self.since(sequence, kinds, log_id)
        return Recall((), complete=True)

    def since(self, sequence: int, kinds: Collection[EventKind] = (), log_id: str = "") -> Recall:
        """What came after that number; no kinds are all.

        A number of another log, or one that this log has not reached, says nothing here: then all
        is given, as not complete.
        """
        stranger = sequence > self.last or log_id not in ("", self.log_id)
        after = 0 if stranger else sequence
        wanted = kinds or tuple(EventKind)
        events = merge(*(self._events[kind] for kind in wanted), key=lambda e: e.sequence)
        complete = not stranger and all(self.forgotten[kind] <= after for kind in wanted)
        return Recall(tuple(e for e in events if e.sequence > after), complete)
