"""What a supervisor's children went through between two looks at them."""

from collections.abc import Iterable

from loki.messages.event import ChildChanged
from loki.messages.lifecycle import ChildState, ChildStatus

LONGEST_REASON = 1000  # Characters: an error's text may be anything.


def changes(before: Iterable[ChildStatus], after: Iterable[ChildStatus]) -> list[ChildChanged]:
    """One event for each child that is news, in the order of `after`; then those that are gone.

    A child that died and was up again between the looks is news by its incarnation. A process that
    appears is none: the state that it leads to will be.
    """
    old = {status.name: status for status in before}
    found = []
    for new in after:
        known = old.pop(new.name, ChildStatus(name=new.name, state=ChildState.STARTING))
        if _news(known) != _news(new):
            found.append(change_of(new))
    gone = [status for status in old.values() if status.state is not ChildState.DOWN]
    return found + [
        ChildChanged(
            child=status.name,
            state=ChildState.DOWN,
            incarnation=status.incarnation,
            restarts=status.restarts,
            reason="deleted",
        )
        for status in gone
    ]


def _news(status: ChildStatus) -> tuple[object, ...]:
    return status.state, status.incarnation, status.restarts, status.last_error


def change_of(status: ChildStatus) -> ChildChanged:
    """How a child fares, as an event tells it."""
    return ChildChanged(
        child=status.name,
        state=status.state,
        pid=status.pid,
        incarnation=status.incarnation,
        restarts=status.restarts,
        reason=status.last_error[:LONGEST_REASON],
    )
