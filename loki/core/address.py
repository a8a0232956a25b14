"""Addresses as text, and which of their ports are kept."""

import msgspec

from loki.messages.gateway import GatewayConfig, GatewayReport


def port_of(address: str) -> int:
    """The port of "host:port" or "http://host:port"; 0 for no address."""
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
