"""What a client sends where, before it connects."""

import pytest

from loki.client import Credentials, LokiClient
from loki.client.credential import is_loopback


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:50070", True),
        ("127.8.8.8:1", True),
        ("[::1]:50070", True),
        ("localhost:50070", True),
        ("unix:/run/loki.sock", True),
        ("192.0.2.7:50070", False),
        ("[2001:db8::1]:50070", False),
        ("localhost.example.org:1", False),
        ("device.home:1", False),
        ("50070", False),
    ],
)
def test_which_addresses_are_of_this_device(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_s_r_1_a_token_is_never_sent_readable_to_another_device() -> None:
    with pytest.raises(ValueError, match=r"a token is not sent to device\.home:1 without TLS"):
        LokiClient("device.home:1", credentials=Credentials(token="very-secret"))
    LokiClient("127.0.0.1:1", credentials=Credentials(token="very-secret")).close()


@pytest.mark.parametrize("token", ["very-secret\n", " very-secret", "very\tsecret", "very-secrét"])
def test_a_token_with_its_line_end_is_refused_in_words(token: str) -> None:
    """gRPC would only say that metadata is invalid."""
    with pytest.raises(ValueError, match=r"strip\(\) what was read") as raised:
        LokiClient("127.0.0.1:1", credentials=Credentials(token=token))
    assert "very" not in str(raised.value)


@pytest.mark.parametrize(
    "credentials", [Credentials(certificate=b"x"), Credentials(ca=b"x", key=b"x")]
)
def test_a_certificate_and_its_key_go_together(credentials: Credentials) -> None:
    with pytest.raises(ValueError, match="go together"):
        LokiClient("127.0.0.1:1", credentials=credentials)


def test_secrets_are_not_shown() -> None:
    shown = repr(Credentials(token="very-secret", certificate=b"c", key=b"very-private"))
    assert "very" not in shown
