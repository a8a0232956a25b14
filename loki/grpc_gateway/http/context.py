"""A unary call that came over HTTP, as behaviours and the Guard see calls."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from google.rpc import status_pb2  # type: ignore[import-untyped]  # Ships no marker.

from loki.errors import ErrorCode, LokiError

RICH_STATUS = "grpc-status-details-bin"
TRAILER = "trailer-"
"""Before the names of what gRPC sends behind the response. Source: Connect protocol."""
COMMON_NAME = "commonName"


class Aborted(Exception):
    """A call ended with that google.rpc.Status."""

    def __init__(self, status: Any) -> None:
        super().__init__(status.message)
        self.status = status


class HttpContext:
    """The other `CallContext` beside gRPC's own."""

    def __init__(
        self,
        peername: Any,
        headers: Iterable[tuple[str, str]],
        certificate: Mapping[str, Any] | None,
    ) -> None:
        """`peername` and `certificate` (verified, as of ssl's getpeercert) are the socket's."""
        self._peer = peer_of(peername)
        self._headers = tuple((name.lower(), value) for name, value in headers)
        self._names = names_of(certificate or {})
        self._deadline_s: float | None = None
        self._finished: list[Callable[[Any], object]] = []
        self.admitted = False
        """Whether its principal's quota has counted it, as large as it was in JSON."""
        self.sent: dict[str, str] = {}
        """Headers for the response."""

    def limit(self, timeout_s: float | None) -> None:
        """From now on its client waits for so long; None is for ever."""
        self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._headers

    def auth_context(self) -> dict[str, tuple[bytes, ...]]:
        return self._names

    def time_remaining(self) -> float | None:
        if self._deadline_s is None:
            return None
        return max(0.0, self._deadline_s - time.monotonic())

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self._finished.append(callback)

    def set_trailing_metadata(self, metadata: Iterable[tuple[str, str]]) -> None:
        self.sent.update((TRAILER + name, value) for name, value in metadata)

    async def send_initial_metadata(self, metadata: Iterable[tuple[str, str]]) -> None:
        self.sent.update(metadata)

    async def write(self, _message: object) -> NoReturn:
        """Raises: LokiError (UNSUPPORTED): there are no streams here."""
        raise LokiError("HTTP serves no streams", code=ErrorCode.UNSUPPORTED)

    async def abort(
        self,
        code: Any,  # A gRPC status code.
        details: str = "",
        trailing_metadata: Iterable[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """Raises: Aborted."""
        for name, value in trailing_metadata:
            if name == RICH_STATUS and isinstance(value, bytes):
                raise Aborted(status_pb2.Status.FromString(value))
        raise Aborted(status_pb2.Status(code=code.value[0], message=details))

    def finish(self) -> None:
        """The response has left, or cannot any more."""
        for callback in self._finished:
            callback(self)


def peer_of(peername: Any) -> str:
    """As gRPC writes addresses: "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711", "unix:"."""
    if not isinstance(peername, tuple):
        return "unix:"
    host, port = peername[0], peername[1]
    return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"


def names_of(certificate: Mapping[str, Any]) -> dict[str, tuple[bytes, ...]]:
    """A client certificate's names as gRPC's auth context has them."""
    common = [
        value
        for part in certificate.get("subject", ())
        for key, value in part
        if key == COMMON_NAME
    ]
    alternative = [value for _, value in certificate.get("subjectAltName", ())]
    found = {
        "x509_common_name": tuple(value.encode() for value in common),
        "x509_subject_alternative_name": tuple(value.encode() for value in alternative),
    }
    return {name: values for name, values in found.items() if values}
