"""Lets callers in or not, and logs whom it did not: once per caller and minute, with a count."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import Any

from loki.core.access.credential import Credentials
from loki.core.access.denial import WINDOW_S, Denials, denial_of, shown
from loki.core.access.principal import NOBODY, Principal
from loki.core.access.quota import Account
from loki.errors import LokiError, PermissionRefused
from loki.grpc_gateway.security.auth import caller_of, host_of
from loki.messages.access import NO_QUOTA, ClientRole

Later = Callable[[float, Callable[[], None]], object]


class Access:
    """What every call is let in by."""

    def __init__(
        self, log: logging.Logger, later: Later, now_s: Callable[[], float] = monotonic
    ) -> None:
        """`later` calls something after so many seconds, on the gateway's loop."""
        self._credentials = Credentials()
        self._changed: list[Callable[[], None]] = []
        self._accounts: dict[str, Account] = {}
        self._now_s = now_s
        self._log = log
        self._later = later
        self._denials = Denials()

    def exchange(self, credentials: Credentials) -> None:
        """From now on these let callers in, also those who are in already."""
        self._credentials = credentials
        for told in self._changed:
            told()

    def on_change(self, told: Callable[[], None]) -> None:
        """Have `told` called after each exchange."""
        self._changed.append(told)

    def identify(self, context: Any) -> Principal:
        """Raises: PermissionRefused (NO_CREDENTIALS)."""
        return self._credentials.identify(caller_of(context))

    def known(self, context: Any) -> Principal:
        """The caller, or NOBODY: for what answers everybody, but not the same to all."""
        try:
            return self.identify(context)
        except PermissionRefused:
            return NOBODY

    def holds(self, principal: Principal, context: Any) -> bool:
        """Whether that caller is still that principal, with the same rights."""
        return self.known(context) == principal

    def enter(self, context: Any, role: ClientRole, measure: Callable[[], int]) -> Principal:
        """The caller, who has that role. Its request, of `measure()` bytes, counts in any case.

        Raises: PermissionRefused; QuotaMet.
        """
        principal = self.identify(context)
        counts = principal.quota.request_bytes_per_s or principal.quota.requests_per_s
        if counts and not getattr(context, "admitted", False):  # gRPC's is never.
            self.admit(principal, measure())
        principal.require(role)
        return principal

    def account(self, principal: Principal) -> Account | None:
        """What it has asked for so far; None where nothing bounds it."""
        if principal.quota == NO_QUOTA:
            return None
        held = self._accounts.get(principal.name)
        if held is None:
            held = Account(principal.name, principal.quota, self._now_s())
            self._accounts[principal.name] = held
        if held.quota != principal.quota:
            held.hold_to(principal.quota, self._now_s())
        return held

    def admit(self, principal: Principal, size_bytes: int) -> None:
        """Count a request of that size. Raises: QuotaMet."""
        if account := self.account(principal):
            account.admit(size_bytes, self._now_s())

    def charge(self, principal: Principal, size_bytes: int, *, first: bool = False) -> float:
        """Count a message of a stream; so many seconds it is to be kept back."""
        account = self.account(principal)
        return account.charge(size_bytes, self._now_s(), first=first) if account else 0.0

    def running(self, principal: Principal) -> AbstractContextManager[None]:
        """A run, as long as it lasts. Entering it raises: QuotaMet."""
        account = self.account(principal)
        return account.running() if account else nullcontext()

    def refused(self, error: LokiError, peer: str, method: str) -> None:
        """Log it if it is a refusal, unless that caller's last one was just now.

        `method` is the path that the caller asked for.
        """
        if (denial := denial_of(error)) is None:
            return
        opens = not self._denials
        if caller := self._denials.note(denial.principal or host_of(peer)):
            self._log.warning("refused %s: %s, at %s", caller, denial.reason, shown(method))
        if opens:
            self._later(WINDOW_S, self._count)

    def _count(self) -> None:
        for caller, count in self._denials.close().items():
            self._log.warning("refused %s %d times more within a minute", caller, count)
        if self._denials:
            self._later(WINDOW_S, self._count)
