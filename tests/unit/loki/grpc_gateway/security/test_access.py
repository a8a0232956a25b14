"""Who is let in, and what the log has of those who are not."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loki.core.access.denial import WINDOW_S
from loki.core.access.principal import LOCAL, Principal, may_see
from loki.core.access.quota import QuotaMet
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.grpc_gateway.security.access import Access
from loki.messages.access import ClientRole, Quota


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


BOUND = Principal(
    "panel", frozenset(), quota=Quota(requests_per_s=2, request_bytes_per_s=10, runs_in_flight=1)
)


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def access(timers: Timers) -> Access:
    return Access(logging.getLogger("loki.gateway"), timers.later)


def refuse(access: Access, peer: str, role: ClientRole = ClientRole.VIEW) -> None:
    with pytest.raises(PermissionRefused) as raised:
        access.enter(FakeContext(peer), role, lambda: 0)
    access.refused(raised.value, peer, "/x.X/Y")


def test_a_caller_gets_in_by_its_role(access: Access) -> None:
    assert access.enter(FakeContext("ipv4:127.0.0.1:1"), ClientRole.VIEW, lambda: 0).name == "local"


def test_who_is_not_let_in_is_nobody(access: Access) -> None:
    assert access.known(FakeContext("ipv4:127.0.0.1:1")) == LOCAL
    nobody = access.known(FakeContext("ipv4:192.0.2.7:1"))
    assert not nobody.roles
    assert not may_see(nobody, "average")


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
    access.refused(LokiError("x", code=ErrorCode.SCRIPT_NOT_FOUND), "ipv4:127.0.0.1:1", "/x.X/Y")
    access.refused(PermissionRefused("a script may not"), "ipv4:127.0.0.1:1", "/x.X/Y")
    assert caplog.messages == []


def test_what_nothing_bounds_is_not_counted(access: Access) -> None:
    assert access.account(LOCAL) is None
    for _ in range(1000):
        access.admit(LOCAL, 10**9)
    with access.running(LOCAL), access.running(LOCAL):
        assert access.charge(LOCAL, 10**9) == 0.0


def test_each_principal_has_an_account_which_lasts(timers: Timers) -> None:
    access = Access(logging.getLogger(), timers.later, lambda: 0.0)
    access.admit(BOUND, 5)
    access.admit(replace(BOUND, name="other"), 10)
    assert access.charge(BOUND, 10) == 0.5
    with access.running(BOUND), pytest.raises(QuotaMet), access.running(BOUND):
        pytest.fail("a second run")


def test_new_quotas_count_what_runs_already(timers: Timers) -> None:
    access = Access(logging.getLogger(), timers.later, lambda: 0.0)
    wider = replace(BOUND, quota=Quota(requests_per_s=9, runs_in_flight=2))
    for _ in range(2):
        access.admit(BOUND, 0)
    with access.running(BOUND):
        for _ in range(9):
            access.admit(wider, 0)
        with access.running(wider), pytest.raises(QuotaMet), access.running(wider):
            pytest.fail("a third run")
    with access.running(wider), access.running(wider):
        pass
