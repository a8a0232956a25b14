"""The root's part in events: who may tell, who is told, and what it says when it is asked."""

from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.actors.tree.event_log import EventKeeper
from loki.errors import PermissionRefused, ResourceLimitExceeded
from loki.messages.envelope import Message
from loki.messages.event import (
    ConfigRejected,
    EventHappened,
    EventRecorded,
    EventsRecalled,
    SubscribeEvents,
)
from loki.messages.lifecycle import ChildState, ChildStatus
from tests.unit.loki.conftest import FakeShell

FACT = ConfigRejected(file="tools.toml:1", problem="no")
CHILDREN = {"gateway": 10, "library": 11}


def sender(peer: str, pid: int) -> Context:
    return Context(peer=peer, peer_pid=pid, kin=False, run="", trace="", deadline_s=None)


GATEWAY, LIBRARY = (sender(name, pid) for name, pid in CHILDREN.items())
STRANGERS = [sender("runner-1", 99), sender("library", 99), sender("library", 0)]


class Full(FakeShell):
    """Whose outbox has no room while `full`."""

    full = False

    def send(self, peer: str, message: Message, **more: Any) -> None:
        if self.full:
            raise ResourceLimitExceeded(f"{peer} does not read")
        super().send(peer, message, **more)


@pytest.fixture
def shell() -> Full:
    return Full()


@pytest.fixture
def keeper(shell: Full) -> EventKeeper:
    return EventKeeper(shell, lambda context: CHILDREN.get(context.peer) == context.peer_pid)


def ask(keeper: EventKeeper, context: Context = GATEWAY) -> EventsRecalled:
    recalled: Any = keeper.handlers()[SubscribeEvents](SubscribeEvents(), context)
    return recalled


def tell(keeper: EventKeeper, context: Context = LIBRARY) -> None:
    keeper.handlers()[EventHappened](EventHappened(fact=FACT), context)


def told(shell: FakeShell) -> list[tuple[str, int]]:
    return [(peer, m.event.sequence) for peer, m, _ in shell.sent(EventRecorded)]


def test_what_a_child_tells_is_kept_and_told_to_who_subscribed(
    keeper: EventKeeper, shell: Full
) -> None:
    tell(keeper)
    recalled = ask(keeper)
    assert [event.fact for event in recalled.events] == [FACT]
    assert recalled.last == 1
    assert told(shell) == []
    tell(keeper)
    assert told(shell) == [("gateway", 2)]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda s: f"{s.peer}-{s.peer_pid}")
def test_nobody_else_tells_or_is_told(keeper: EventKeeper, shell: Full, stranger: Context) -> None:
    with pytest.raises(PermissionRefused):
        tell(keeper, stranger)
    with pytest.raises(PermissionRefused):
        ask(keeper, stranger)
    tell(keeper)
    assert told(shell) == []
    assert len(ask(keeper).events) == 1


def test_the_log_outlives_its_subscribers(keeper: EventKeeper, shell: Full) -> None:
    before = ask(keeper)
    keeper.lost("gateway", GATEWAY.peer_pid)
    tell(keeper)
    assert told(shell) == []
    after = ask(keeper)
    assert (after.log_id, after.last) == (before.log_id, 1)


@pytest.mark.parametrize(("pid", "stays"), [(10, False), (0, False), (9, True)])
def test_an_end_counts_for_the_process_that_ended(
    keeper: EventKeeper, shell: Full, pid: int, stays: bool
) -> None:
    ask(keeper)
    keeper.lost("gateway", pid)
    tell(keeper)
    assert bool(told(shell)) is stays


def test_a_subscriber_that_does_not_read_stops_nothing(keeper: EventKeeper, shell: Full) -> None:
    ask(keeper)
    shell.full = True
    tell(keeper)
    shell.full = False
    tell(keeper)
    assert told(shell) == [("gateway", 2)]  # It sees the gap, and asks again.


def test_the_children_are_told_of_once_for_each_change(keeper: EventKeeper, shell: Full) -> None:
    up = ChildStatus(name="hel", state=ChildState.UP, pid=5, incarnation=1)
    ask(keeper)
    for _ in range(3):
        keeper.children_are([up])
    assert told(shell) == [("gateway", 1)]
    assert ask(keeper).children == (up,)


def test_two_logs_have_different_names(keeper: EventKeeper, shell: Full) -> None:
    assert ask(keeper).log_id != ask(EventKeeper(shell, lambda _: True)).log_id
