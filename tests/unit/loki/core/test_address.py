"""Addresses as text."""

import pytest

from loki.core.address import http_host, in_brackets, is_socket, keep_ports, path_of, port_of
from loki.messages.gateway import GatewayConfig, GatewayReport, HttpConfig


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.1:50070", 50070), ("[::1]:9", 9), ("", 0), ("unix:/a:9", 0)]
)
def test_the_port_stands_last(address: str, port: int) -> None:
    assert port_of(address) == port


def test_ipv6_stands_in_brackets_before_a_port() -> None:
    assert in_brackets("::1") == "[::1]"
    assert in_brackets("127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize(
    ("port", "http", "former", "kept"),
    [
        (0, None, GatewayReport(), (0, None)),
        (0, None, GatewayReport(grpc="127.0.0.1:7", http="http://127.0.0.1:8"), (7, None)),
        (0, 0, GatewayReport(grpc="127.0.0.1:7", http="http://127.0.0.1:8"), (7, 8)),
        (0, 0, GatewayReport(grpc="[::1]:7", http="https://[::1]:8"), (7, 8)),
        (0, 0, GatewayReport(grpc="127.0.0.1:7"), (7, 0)),
        (1, 2, GatewayReport(grpc="127.0.0.1:7", http="http://127.0.0.1:8"), (1, 2)),
    ],
)
def test_ports_are_kept_where_any_would_do(
    port: int, http: int | None, former: GatewayReport, kept: tuple[int, int | None]
) -> None:
    second = None if http is None else HttpConfig(port=http)
    config = keep_ports(GatewayConfig(version="1", port=port, http=second), former)
    assert (config.port, config.http.port if config.http else None) == kept


def test_a_socket_is_a_path_and_has_no_http() -> None:
    assert is_socket("unix:/run/loki.sock")
    assert not is_socket("127.0.0.1")
    assert path_of("unix:/run/loki.sock") == "/run/loki.sock"
    assert http_host("unix:/run/loki.sock") == "127.0.0.1"
    assert http_host("0.0.0.0") == "0.0.0.0"
