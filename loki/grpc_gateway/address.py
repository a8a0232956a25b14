"""Binds the gateway's addresses, with reasons that help where that fails."""

import os
import socket
import stat
from pathlib import Path

import grpc

from loki.core.address import in_brackets, is_socket, path_of
from loki.errors import ConfigurationError
from loki.grpc_gateway.security.auth import is_loopback
from loki.grpc_gateway.security.tls import Tls
from loki.messages.gateway import GatewayConfig

LONGEST_PATH = 107  # Source: unix(7), sun_path without its end.


def bind(server: grpc.aio.Server, config: GatewayConfig, tls: Tls | None) -> str:
    """The address that was bound. Raises: ConfigurationError."""
    if is_socket(config.host):
        return bind_socket(server, config.host)
    host, port = config.host, config.port
    address = f"{in_brackets(host)}:{port}"
    _require_secure(host, tls)
    try:
        if tls is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, tls.credentials())
    except RuntimeError as error:
        raise ConfigurationError(
            f"grpc_port = {port}: cannot listen on {address}"
            f"{why_not(host, port)}; stop what uses it, choose another grpc_port, or 0 for any",
            details={"field": "grpc_port"},
        ) from error
    return f"{in_brackets(host)}:{bound}"


def bind_socket(server: grpc.aio.Server, address: str) -> str:
    """Bind "unix:PATH", for this user alone. Raises: ConfigurationError."""
    path = Path(path_of(address))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_way(path)
        server.add_insecure_port(address)
        path.chmod(0o600)
    except OSError as error:
        raise _no_socket(path, f"cannot listen there ({error.strerror})") from error
    except RuntimeError as error:  # gRPC keeps the reason to itself.
        raise _no_socket(path, "cannot listen there") from error
    return address


def _make_way(path: Path) -> None:
    """Take away what a server left that is dead. Raises: ConfigurationError; OSError."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise _no_socket(path, f"is longer than {LONGEST_PATH} bytes")
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise _no_socket(path, "is there already, and no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise _no_socket(path, "another program serves there")


def _no_socket(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"grpc_host = 'unix:{path}': {problem}; choose another path",
        details={"field": "grpc_host"},
    )


def listen(host: str, port: int, tls: Tls | None) -> socket.socket:
    """A socket for HTTP. Raises: ConfigurationError."""
    _require_secure(host, tls)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"http.port = {port}: cannot listen on {in_brackets(host)}:{port} ({error.strerror}); "
            "stop what uses it, choose another port, or 0 for any",
            details={"field": "http.port"},
        ) from error


def _require_secure(host: str, tls: Tls | None) -> None:
    if tls is None and not is_loopback(host):
        raise ConfigurationError(
            f"grpc_host = {host!r}: other devices may not connect without TLS and credentials; "
            'use "127.0.0.1"',
            details={"field": "grpc_host"},
        )


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
