"""The certificate that the gateway shows: read again when its files change, without a restart."""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import grpc

from loki.actors.file.credential_file import Pem, read_tls
from loki.core.access.expiry import Choice, Validity, choose
from loki.errors import ConfigurationError
from loki.messages.access import TlsFiles


@dataclass(frozen=True, slots=True)
class Offer:
    """What the files hold now, and whether it is to be shown."""

    pem: Pem
    choice: Choice


class Tls:
    """What TLS connections are begun with; those that are open keep what they began with."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises: ConfigurationError."""
        self._files = files
        self._pem = read_tls(files)
        self._shown = _configuration(self._pem)
        self._watchers: list[Callable[[], None]] = []

    @property
    def shown(self) -> bytes:
        """The certificate that the next handshake shows, as PEM."""
        return self._pem.certificate

    @property
    def certificate(self) -> str:
        """The path of its file."""
        return self._files.certificate

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

    def read(self, now: datetime) -> Offer:
        """What the files hold now; it blocks on the disk. Raises: ConfigurationError."""
        pem = read_tls(self._files)
        if pem.certificate == self._pem.certificate:
            return Offer(pem, Choice(taken=True))
        try:
            offered, shown = _validity(pem), _validity(self._pem)
        except ValueError as error:
            raise ConfigurationError(f"{self._files.certificate}: {error}") from error
        return Offer(pem, choose(offered, shown, now))

    def show(self, pem: Pem) -> bool:
        """Show that from the next handshake on; whether it is another one."""
        if pem == self._pem:
            return False
        self._pem, self._shown = pem, _configuration(pem)
        for changed in self._watchers:
            changed()
        return True


def _validity(pem: Pem) -> Validity:
    """Raises: ValueError."""
    from loki.certificate import validity_of  # 11 MiB that only a renewal needs.

    return Validity(*validity_of(pem.certificate))


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
