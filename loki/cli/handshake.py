"""Why a TLS connection did not come about, in words that say what to do."""

import socket
from contextlib import suppress

from loki.cli.credential import Files

CLOSED = ("Socket closed", "Connection reset", "Broken pipe")
PROBE_S = 2.0
OTHER_AUTHORITY = ("self signed", "self-signed", "unable to get local issuer", "signature failure")


def explain(message: str, server: str, files: Files) -> str:
    """`message` is gRPC's of a failed connection; "" where it was not TLS that failed."""
    if files.encrypted:
        return _of_tls(message, server, files)
    if message.startswith("failed to connect") and _closed(message) and speaks_tls(server):
        return f"Loki at {server} wants TLS: give --tls-ca FILE, the ca.crt of its `loki init-tls`"
    return ""


def _of_tls(message: str, server: str, files: Files) -> str:
    reason = message.lower()
    if "wrong_version_number" in reason:
        return f"Loki at {server} does not speak TLS; leave out --tls-ca"
    if "has expired" in reason:
        return f"the certificate of Loki at {server} has expired; renew it there"
    if "not yet valid" in reason:
        return f"the certificate of Loki at {server} is not valid yet; is the clock right here?"
    if any(sign in reason for sign in OTHER_AUTHORITY):
        return f"the certificate of Loki at {server} is of another authority than {files.tls_ca}"
    if "hostname" in reason or "not valid for" in reason or "mismatch" in reason:
        return (
            f"the certificate of Loki at {server} is not made for that name; make one with "
            "`loki init-tls --host` there, or use a name that it has"
        )
    if "certificate_verify_failed" in reason:
        return f"the certificate of Loki at {server} does not hold: {message}"
    if "handshake failed" not in reason and not _closed(message):
        return ""
    if not files.tls_cert:
        return f"Loki at {server} wants a client certificate: give --tls-cert and --tls-key"
    return f"Loki at {server} refuses the client certificate {files.tls_cert}"


def _closed(message: str) -> bool:
    return any(sign in message for sign in CLOSED)


def speaks_tls(server: str) -> bool:
    """Whether a TLS server listens there. Nothing is sent to it, so it need not be trusted."""
    import ssl  # Needed for this only.

    host, _, port = server.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name = host.strip("[]")
    with (
        suppress(OSError, ValueError),
        socket.create_connection((name, int(port)), PROBE_S) as raw,
        context.wrap_socket(raw, server_hostname=name),
    ):
        return True
    return False
