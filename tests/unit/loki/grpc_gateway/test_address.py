"""Addresses as text."""

import pytest

from loki.grpc_gateway.address import in_brackets, port_of


@pytest.mark.parametrize(("address", "port"), [("127.0.0.1:50070", 50070), ("[::1]:9", 9), ("", 0)])
def test_the_port_stands_last(address: str, port: int) -> None:
    assert port_of(address) == port


def test_ipv6_stands_in_brackets_before_a_port() -> None:
    assert in_brackets("::1") == "[::1]"
    assert in_brackets("127.0.0.1") == "127.0.0.1"
