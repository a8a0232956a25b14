"""Who a caller is, by address, and what that allows."""

import pytest

from loki.errors import ErrorCode, PermissionRefused
from loki.grpc_gateway.auth import ClientRole, is_loopback, principal_of


@pytest.mark.parametrize("peer", ["ipv4:127.0.0.1:5", "ipv4:127.9.9.9:5", "ipv6:%5B::1%5D:5"])
def test_this_device_is_local_with_every_role_except_fault(peer: str) -> None:
    local = principal_of(peer)
    assert local.name == "local"
    for role in set(ClientRole) - {ClientRole.FAULT}:
        local.require(role)
    with pytest.raises(PermissionRefused, match="fault") as raised:
        local.require(ClientRole.FAULT)
    assert raised.value.code is ErrorCode.ROLE


@pytest.mark.parametrize("peer", ["ipv4:192.168.0.7:5", "ipv6:%5B::2%5D:5", "ipv4:12.7.0.1:5", ""])
def test_anybody_else_needs_credentials(peer: str) -> None:
    with pytest.raises(PermissionRefused) as raised:
        principal_of(peer)
    assert raised.value.code is ErrorCode.NO_CREDENTIALS


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
