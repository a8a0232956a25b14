"""What gRPC says of a failed connection, and what people are told."""

import socket
from pathlib import Path

import pytest

from loki.cli.credential import Files
from loki.cli.handshake import explain, speaks_tls

SERVER = "device.home:50070"
PLAIN = Files()
TRUSTING = Files(tls_ca=Path("ca.crt"))
SHOWING = Files(tls_ca=Path("ca.crt"), tls_cert=Path("panel.crt"), tls_key=Path("panel.key"))
FAILED = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:192.0.2.7:50070: Tls handshake "
    "failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:"
)
CLOSED = (
    "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:1.2.3.4:5: Socket closed"
)


@pytest.mark.parametrize(
    ("message", "files", "text"),
    [
        (FAILED + "WRONG_VERSION_NUMBER", TRUSTING, "does not speak TLS; leave out --tls-ca"),
        (
            FAILED + "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
            TRUSTING,
            "is of another authority than ca.crt",
        ),
        (
            FAILED + "CERTIFICATE_VERIFY_FAILED: self signed certificate in certificate chain",
            TRUSTING,
            "is of another authority than ca.crt",
        ),
        (FAILED + "CERTIFICATE_VERIFY_FAILED: certificate has expired", TRUSTING, "has expired"),
        (FAILED + "CERTIFICATE_VERIFY_FAILED: certificate is not yet valid", TRUSTING, "clock"),
        (FAILED + "CERTIFICATE_VERIFY_FAILED: out of memory", TRUSTING, "does not hold: failed"),
        ("Hostname Verification Check failed.", TRUSTING, "not made for that name"),
        (CLOSED, TRUSTING, "wants a client certificate: give --tls-cert and --tls-key"),
        (CLOSED, SHOWING, "refuses the client certificate panel.crt"),
        ("failed to connect to all addresses; last error: Connection refused", TRUSTING, ""),
        ("failed to connect to all addresses; last error: Connection refused", PLAIN, ""),
        ("Socket closed", PLAIN, ""),
    ],
)
def test_why_no_connection_came_about(message: str, files: Files, text: str) -> None:
    told = explain(message, SERVER, files)
    assert text in told
    assert bool(told) is bool(text)


def test_a_server_without_tls_is_asked_and_said_to_have_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert not speaks_tls(f"127.0.0.1:{port}")
    assert not speaks_tls("nowhere")
