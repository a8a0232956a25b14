"""How far an IP address reaches: the part of the address policy that knows the number ranges."""

from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


class Reach(Enum):
    """Who is there."""

    PUBLIC = "the public network"
    LOCAL = "the local network"
    SPECIAL = "this device, its link or no host at all"


_LOCAL = tuple(
    ip_network(block)
    for block in (
        "10.0.0.0/8",  # Source: RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # Source: RFC 6598, shared by carriers and overlay networks
        "fc00::/7",  # Source: RFC 4193
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # Source: RFC 6052
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")  # Source: RFC 8215


def reach(address: str) -> Reach:
    """Where `address` leads, whatever it is wrapped in. Raises: ValueError for no IP address."""
    inner = _unwrapped(ip_address(address))
    if any(inner in block for block in _LOCAL if block.version == inner.version):
        return Reach.LOCAL
    return Reach.PUBLIC if _is_public(inner) else Reach.SPECIAL


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address carries, where a gateway would unpack it."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return isinstance(address, IPv4Address) or not (
        address.is_site_local or address in _NAT64_LOCAL
    )
