"""Who calls, and which roles they have."""

import ipaddress
from dataclasses import dataclass
from enum import Enum

from loki.errors import ErrorCode, PermissionRefused


class ClientRole(Enum):
    """What a caller may do."""

    VIEW = "view"  # See scripts, children and executions.
    EXECUTE = "execute"  # Run scripts that the device holds, and cancel executions.
    ADHOC = "adhoc"  # Run source text that comes with the call.
    DATA = "data"  # Read what scripts keep, such as time series.
    REGISTER = "register"  # Add, change and remove scripts.
    ADMIN = (
        "admin"  # Read the log and make backups, which tell of everybody's scripts; reset parts.
    )
    FAULT = "fault"  # Inject faults.


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who calls."""

    name: str
    roles: frozenset[ClientRole]

    def require(self, role: ClientRole) -> None:
        """Raises: PermissionRefused (ROLE)."""
        if role not in self.roles:
            raise PermissionRefused(
                f"'{self.name}' needs the role '{role.value}' for this",
                code=ErrorCode.ROLE,
                details={"principal": self.name, "role": role.value},
            )


LOCAL = Principal("local", frozenset(ClientRole) - {ClientRole.FAULT})
LOCAL_PEERS = ("ipv4:127.", "ipv6:[::1]:", "ipv6:%5B::1%5D:")
"""How gRPC writes an address of this device. Source: gRPC naming, address URIs."""


def principal_of(peer: str) -> Principal:
    """Who is at that address of gRPC's; without credentials only this device is anybody.

    Raises: PermissionRefused (NO_CREDENTIALS).
    """
    if peer.startswith(LOCAL_PEERS):
        return LOCAL
    raise PermissionRefused(
        "calls from another device need credentials", code=ErrorCode.NO_CREDENTIALS
    )


def is_loopback(host: str) -> bool:
    """Whether only this device reaches that host name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
