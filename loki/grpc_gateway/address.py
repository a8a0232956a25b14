"""Where the gateway listens: addresses as text, and binding them with reasons that help."""

import socket

import grpc

from loki.errors import ConfigurationError
from loki.grpc_gateway.auth import is_loopback
from loki.grpc_gateway.tls import Tls


def port_of(address: str) -> int:
    """The port of "host:port"; 0 for no address."""
    return int(address.rpartition(":")[2] or 0)


def in_brackets(host: str) -> str:
    """As it stands before a port. Source: RFC 3986, 3.2.2."""
    return f"[{host}]" if ":" in host else host


def bind(server: grpc.aio.Server, host: str, port: int, tls: Tls | None) -> int:
    """The port that was bound, which is `port` unless that is 0.

    Raises: ConfigurationError.
    """
    address = f"{in_brackets(host)}:{port}"
    if tls is None and not is_loopback(host):
        raise ConfigurationError(
            f"grpc_host = {host!r}: other devices may not connect without TLS and credentials; "
            'use "127.0.0.1"',
            details={"field": "grpc_host"},
        )
    try:
        if tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, tls.credentials())
    except RuntimeError as error:
        raise ConfigurationError(
            f"grpc_port = {port}: cannot listen on {address}"
            f"{why_not(host, port)}; stop what uses it, choose another grpc_port, or 0 for any",
            details={"field": "grpc_port"},
        ) from error


def why_not(host: str, port: int) -> str:
    """The kernel's reason, which gRPC does not tell."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f" ({error.strerror})"
    return ""
