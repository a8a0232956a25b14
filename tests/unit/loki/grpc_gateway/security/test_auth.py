"""What gRPC tells of a caller."""

from collections.abc import Iterable, Mapping

import pytest

from loki.core.access.credential import Caller
from loki.grpc_gateway.security.auth import caller_of, host_of, is_local, is_loopback


class FakeConnection:
    """As much of gRPC's context as tells of the caller."""

    def __init__(self, metadata: tuple[tuple[str, str | bytes], ...] | None = None) -> None:
        self._metadata = metadata
        self.context: dict[str, list[bytes]] = {}

    def peer(self) -> str:
        return "ipv4:192.0.2.7:4711"

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None:
        return self._metadata

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return self.context


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("ipv4:127.0.0.1:5", True),
        ("ipv4:127.9.9.9:5", True),
        ("ipv6:%5B::1%5D:5", True),
        ("ipv6:[::1]:5", True),
        ("unix:/run/loki.sock", True),
        ("ipv4:192.168.0.7:5", False),
        ("ipv6:%5B::2%5D:5", False),
        ("ipv4:12.7.0.1:5", False),
        ("", False),
    ],
)
def test_which_addresses_are_of_this_device(peer: str, local: bool) -> None:
    assert is_local(peer) is local


def test_a_caller_is_what_it_shows() -> None:
    connection = FakeConnection((("user-agent", "x"), ("authorization", "Bearer t")))
    connection.context = {
        "transport_security_type": [b"ssl"],
        "x509_common_name": [b"panel"],
        "x509_subject_alternative_name": [b"panel", b"panel.home", b"\xff"],
    }
    assert caller_of(connection) == Caller(
        local=False, authorization=("Bearer t",), names=("panel", "panel.home", "\ufffd")
    )


@pytest.mark.parametrize("metadata", [None, (), (("authorization-bin", b"x"),)])
def test_who_shows_nothing_has_nothing(
    metadata: tuple[tuple[str, str | bytes], ...] | None,
) -> None:
    assert caller_of(FakeConnection(metadata)) == Caller(local=False)


def test_a_peer_without_its_port() -> None:
    assert host_of("ipv4:192.0.2.7:4711") == "ipv4:192.0.2.7"
    assert host_of("somewhere") == "somewhere"


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
