"""Lets callers in or not, and logs whom it did not: once per caller and minute, with a count."""

import logging
from collections.abc import Callable
from typing import Any

from loki.core.credential import Credentials
from loki.core.denial import WINDOW_S, Denials
from loki.core.principal import Principal
from loki.errors import ErrorCode, LokiError
from loki.grpc_gateway.auth import caller_of, host_of
from loki.messages.access import ClientRole

DENIED = frozenset({ErrorCode.NO_CREDENTIALS, ErrorCode.ROLE})
Later = Callable[[float, Callable[[], None]], object]


class Access:
    """What every call is let in by. `credentials` may be exchanged at any time."""

    def __init__(
        self, log: logging.Logger, later: Later, credentials: Credentials | None = None
    ) -> None:
        """`later` calls something after so many seconds, on the gateway's loop."""
        self.credentials = credentials or Credentials()
        self._log = log
        self._later = later
        self._denials = Denials()

    def identify(self, context: Any) -> Principal:
        """Raises: PermissionRefused (NO_CREDENTIALS)."""
        return self.credentials.identify(caller_of(context))

    def enter(self, context: Any, role: ClientRole) -> Principal:
        """The caller, who has that role. Raises: PermissionRefused."""
        principal = self.identify(context)
        principal.require(role)
        return principal

    def refused(self, error: LokiError, peer: str) -> None:
        """Log a refusal, unless that caller's last one was just now."""
        if error.code not in DENIED:
            return
        opens = not self._denials
        if caller := self._denials.note(error.details.get("principal") or host_of(peer)):
            self._log.warning("refused %s: %s", caller, error.message)
        if opens:
            self._later(WINDOW_S, self._count)

    def _count(self) -> None:
        for caller, count in self._denials.close().items():
            self._log.warning("refused %s %d times more within a minute", caller, count)
        if self._denials:
            self._later(WINDOW_S, self._count)
