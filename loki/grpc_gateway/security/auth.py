"""Who calls: what gRPC tells of a caller, and whom that makes it."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Protocol

from loki.core.access.credential import Caller

AUTHORIZATION = "authorization"
NAMES = ("x509_common_name", "x509_subject_alternative_name")
"""Keys of the auth context. Source: grpc, grpc_security_constants.h."""
LOCAL_PEERS = ("ipv4:127.", "ipv6:[::1]:", "ipv6:%5B::1%5D:", "unix:")
"""How gRPC writes an address of this device. Source: gRPC naming, address URIs."""


class Connection(Protocol):
    """As much of gRPC's context as tells of the caller."""

    def peer(self) -> str: ...
    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...
    def auth_context(self) -> Mapping[str, Iterable[bytes]]: ...


def caller_of(connection: Connection) -> Caller:
    """What the caller shows; nothing of it is believed yet."""
    return Caller(
        local=is_local(connection.peer()),
        authorization=tuple(
            value if isinstance(value, str) else value.decode(errors="replace")
            for key, value in connection.invocation_metadata() or ()
            if key == AUTHORIZATION
        ),
        names=_names(connection.auth_context()),
    )


def _names(context: Mapping[str, Iterable[bytes]]) -> tuple[str, ...]:
    """Empty unless the client showed a certificate that TLS verified."""
    if not context:
        return ()
    found = (name for key in NAMES for name in context.get(key, ()))
    return tuple(dict.fromkeys(name.decode(errors="replace") for name in found))


def is_local(peer: str) -> bool:
    """Whether that address of gRPC's is on this device."""
    return peer.startswith(LOCAL_PEERS)


def host_of(peer: str) -> str:
    """Without the port: "ipv4:192.0.2.7:4711" is "ipv4:192.0.2.7"."""
    return peer.rpartition(":")[0] or peer


def is_loopback(host: str) -> bool:
    """Whether only this device reaches that host name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
