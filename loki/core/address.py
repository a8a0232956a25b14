"""Addresses as text, and which of their ports are kept."""

import msgspec

from loki.messages.gateway import GatewayConfig, GatewayReport

UNIX = "unix:"
"""Before the path of a socket. Source: gRPC naming."""


def is_socket(address: str) -> bool:
    """Whether that is the path of a Unix-domain socket, which only this device reaches."""
    return address.startswith(UNIX)


def path_of(address: str) -> str:
    """Of a socket."""
    return address.removeprefix(UNIX)


def http_host(host: str) -> str:
    """Where HTTP is served beside gRPC at `host`."""
    return "127.0.0.1" if is_socket(host) else host


def port_of(address: str) -> int:
    """The port of "host:port" or "http://host:port"; 0 where there is none."""
    if is_socket(address):
        return 0
    return int(address.rpartition(":")[2] or 0)


def in_brackets(host: str) -> str:
    """As it stands before a port. Source: RFC 3986, 3.2.2."""
    return f"[{host}]" if ":" in host else host


def keep_ports(config: GatewayConfig, former: GatewayReport) -> GatewayConfig:
    """With the ports that a former gateway took, where any would do: clients know them."""
    port, http = config.port or port_of(former.grpc), config.http
    if http is not None:
        http = msgspec.structs.replace(http, port=http.port or port_of(former.http))
    return msgspec.structs.replace(config, port=port, http=http)
