"""Binding the second port, and why it fails; the first is tried with the server."""

import socket

import pytest

from loki.errors import ConfigurationError
from loki.grpc_gateway.address import listen


def test_any_free_port_will_do() -> None:
    with listen("127.0.0.1", 0, None) as bound:
        host, port = bound.getsockname()
        assert (host, port > 0) == ("127.0.0.1", True)
        socket.create_connection((host, port), 10).close()


def test_a_taken_port_is_named_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"http.port = {port}.*in use.*choose another"):
            listen("127.0.0.1", port, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "example.org"])
def test_other_devices_are_not_let_in_without_tls(host: str) -> None:
    with pytest.raises(ConfigurationError, match="without TLS"):
        listen(host, 0, None)
