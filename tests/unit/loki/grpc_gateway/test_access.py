"""Who is let in, and what the log has of those who are not."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from loki.core.denial import WINDOW_S
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.grpc_gateway.access import Access
from loki.messages.access import ClientRole


class FakeContext:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> Any:
        return ()

    def auth_context(self) -> Any:
        return {}


class Timers:
    """Those that were set, for the test to let them pass."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        self.due.append((delay_s, action))

    def fire(self) -> None:
        (_, action), *self.due = self.due
        action()


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def access(timers: Timers) -> Access:
    return Access(logging.getLogger("loki.gateway"), timers.later)


def refuse(access: Access, peer: str, role: ClientRole = ClientRole.VIEW) -> None:
    with pytest.raises(PermissionRefused) as raised:
        access.enter(FakeContext(peer), role)
    access.refused(raised.value, peer)


def test_a_caller_gets_in_by_its_role(access: Access) -> None:
    assert access.enter(FakeContext("ipv4:127.0.0.1:1"), ClientRole.VIEW).name == "local"


def test_refusals_are_logged_once_per_caller_and_minute(
    access: Access, timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    for port in range(4):
        refuse(access, f"ipv4:192.0.2.7:{port}")
    refuse(access, "ipv4:127.0.0.1:1", ClientRole.FAULT)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "refused ipv4",
        "refused local",
    ]
    assert [delay_s for delay_s, _ in timers.due] == [WINDOW_S]
    caplog.clear()
    timers.fire()
    assert caplog.messages == ["refused ipv4:192.0.2.7 3 times more within a minute"]
    timers.fire()
    assert timers.due == []


def test_other_errors_are_no_refusals(access: Access, caplog: pytest.LogCaptureFixture) -> None:
    access.refused(LokiError("x", code=ErrorCode.SCRIPT_NOT_FOUND), "ipv4:127.0.0.1:1")
    access.refused(PermissionRefused("a script may not"), "ipv4:127.0.0.1:1")
    assert caplog.messages == []
