"""The certificate that the gateway shows: read again when its files change, without a restart."""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from loki.actors.credential_file import Pem, read_tls
from loki.messages.access import TlsFiles


class Tls:
    """What TLS connections are begun with; those that are open keep what they began with."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises: ConfigurationError."""
        self._files = files
        self._pem = read_tls(files)
        self._shown = _configuration(self._pem)
        self._watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> None:
        """Call it when another certificate is shown."""
        self._watchers.append(changed)

    def context(self) -> ssl.SSLContext:
        """For connections other than gRPC's, with what is shown now."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with _file(self._pem.certificate) as certificate, _file(self._pem.key) as key:
            context.load_cert_chain(certificate, key)
        if self._pem.client_ca:
            context.load_verify_locations(cadata=self._pem.client_ca.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def credentials(self) -> grpc.ServerCredentials:
        """For the port. gRPC takes client certificates of everybody or of nobody."""
        return grpc.dynamic_ssl_server_credentials(
            self._shown,
            lambda: self._shown,  # Called by gRPC, in a thread of its own, for each handshake.
            require_client_authentication=bool(self._files.client_ca),
        )

    def read(self) -> Pem:
        """What the files hold now; it blocks on the disk. Raises: ConfigurationError."""
        return read_tls(self._files)

    def show(self, pem: Pem) -> bool:
        """Show that from the next handshake on; whether it is another one."""
        if pem == self._pem:
            return False
        self._pem, self._shown = pem, _configuration(pem)
        for changed in self._watchers:
            changed()
        return True


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """The path of a file in memory: ssl reads from files only, and those on disk may change."""
    held = os.memfd_create("pem")
    try:
        with open(held, "wb", closefd=False) as file:  # It has no path of its own.
            file.write(content)
        yield f"/proc/self/fd/{held}"
    finally:
        os.close(held)


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(pem.key, pem.certificate)], root_certificates=pem.client_ca or None
    )
