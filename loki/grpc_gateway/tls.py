"""The certificate that the gateway shows: read again when its files change, without a restart."""

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
        return True


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(pem.key, pem.certificate)], root_certificates=pem.client_ca or None
    )
