"""What a client shows to its server and what it trusts: TLS files and a token."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc

AUTHORIZATION = "authorization"


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM, and a token. Without `ca` and `certificate` the connection is not encrypted."""

    ca: bytes = b""  # Who signs the server's certificate; empty are those that the system trusts.
    certificate: bytes = b""  # Of this client.
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)

    @property
    def encrypted(self) -> bool:
        return bool(self.ca or self.certificate)


NONE = Credentials()
"""For a server on this device."""


def open_channel(
    address: str, credentials: Credentials, options: Sequence[tuple[str, int]]
) -> grpc.Channel:
    """Raises: ValueError for a token that would be sent readable, or half of a key pair."""
    check(address, credentials)
    if credentials.encrypted:
        channel = grpc.secure_channel(address, _tls(credentials), options=options)
    else:
        channel = grpc.insecure_channel(address, options=options)
    if credentials.token:
        return grpc.intercept_channel(channel, Bearer(credentials.token))
    return channel


def open_async_channel(
    address: str, credentials: Credentials, options: Sequence[tuple[str, int]]
) -> grpc.aio.Channel:
    """As `open_channel`, but each call must bring `token_metadata`."""
    check(address, credentials)
    if credentials.encrypted:
        return grpc.aio.secure_channel(address, _tls(credentials), options=options)
    return grpc.aio.insecure_channel(address, options=options)


def token_metadata(credentials: Credentials) -> tuple[tuple[str, str], ...]:
    """What shows the token."""
    return ((AUTHORIZATION, f"Bearer {credentials.token}"),) if credentials.token else ()


def check(address: str, credentials: Credentials) -> None:
    """Raises: ValueError."""
    if bool(credentials.certificate) != bool(credentials.key):
        raise ValueError("a client certificate and its key go together")
    token = credentials.token
    if not (token.isascii() and token.isprintable() and token == token.strip()):
        raise ValueError(
            "a token is one line of ASCII, without its end: strip() what was read from a file"
        )
    if credentials.token and not credentials.encrypted and not is_loopback(address):
        raise ValueError(
            f"a token is not sent to {address} without TLS, for anybody on the way could read it; "
            "give --tls-ca FILE too (credentials.ca)"
        )


def _tls(credentials: Credentials) -> grpc.ChannelCredentials:
    own = credentials.key or None, credentials.certificate or None
    return grpc.ssl_channel_credentials(credentials.ca or None, *own)


def is_loopback(address: str) -> bool:
    """Whether "host:port" is on this device, by what it says; names are not looked up."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class CallDetails(NamedTuple):
    """What an interceptor may change of a call."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class Bearer(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[type-arg]  # Only stubs have them.
    grpc.UnaryStreamClientInterceptor,  # type: ignore[type-arg]
    grpc.StreamStreamClientInterceptor,  # type: ignore[type-arg]
):
    """Puts the token into every call. gRPC's own way to do that wants TLS, on loopback too."""

    def __init__(self, token: str) -> None:
        self._header = (AUTHORIZATION, f"Bearer {token}")

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request_iterator)

    def _with_token(self, details: Any) -> CallDetails:
        return CallDetails(
            method=details.method,
            timeout=details.timeout,
            metadata=(*(details.metadata or ()), self._header),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
            compression=details.compression,
        )
