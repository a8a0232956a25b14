"""The files that secure the gateway, tokens and TLS: read whole, and refused where others may too.

What is wrong with one is told with its path and a remedy, never with anything of its content.
"""

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from loki.core.access.credential import digest
from loki.core.file_access import is_private
from loki.errors import ConfigurationError
from loki.messages.access import PrincipalEntry, TlsFiles

LEAST_TOKEN_BYTES = 16
MOST_BYTES = 1024 * 1024
ACCESS_LIST = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class Pem:
    """What TLS servers are made from, all of it PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes = b""  # Empty where clients need no certificate.


def read_token(path: str) -> bytes:
    """The digest of the token in a file. Raises: ConfigurationError."""
    return digest_of(read(path, secret=True), path)


def digest_of(text: bytes, where: str) -> bytes:
    """Raises: ConfigurationError for what is too short to be a secret."""
    token = text.strip()
    if len(token) < LEAST_TOKEN_BYTES:
        raise ConfigurationError(
            f"{where}: a token has at least {LEAST_TOKEN_BYTES} characters; make one with "
            "`loki init-tls --token NAME`"
        )
    if not token.isascii() or len(token.split()) > 1:
        raise ConfigurationError(f"{where}: a token is one line of ASCII without spaces")
    return digest(token)


def read_tokens(
    entries: Iterable[PrincipalEntry],
) -> tuple[dict[str, bytes], tuple[ConfigurationError, ...]]:
    """The digests of those that are in files, by the name of their principal; what is wrong."""
    found: dict[str, bytes] = {}
    problems: list[ConfigurationError] = []
    for entry in entries:
        if entry.token_file:
            try:
                found[entry.name] = read_token(entry.token_file)
            except ConfigurationError as error:
                problems.append(error)
    return found, tuple(problems)


def read_tls(files: TlsFiles) -> Pem:
    """A certificate that its key belongs to. Raises: ConfigurationError."""
    pem = _read_tls(files)
    _check_pair(files)
    if files.client_ca:
        _check_authority(files.client_ca)
    if pem != _read_tls(files):
        raise ConfigurationError(f"{files.certificate}: the files change just now; try again")
    return pem


def _read_tls(files: TlsFiles) -> Pem:
    ca = read(files.client_ca) if files.client_ca else b""
    return Pem(read(files.certificate), read(files.key, secret=True), ca)


def _check_pair(files: TlsFiles) -> None:
    import ssl  # Memory that every process would have.

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError.
        raise ConfigurationError(
            f"{files.certificate}: no certificate that {files.key} is the key of "
            f"({_reason(error)}); both are PEM, the key without a password"
        ) from None


def _check_authority(path: str) -> None:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: holds no PEM certificate ({_reason(error)})") from None


def _no_password() -> bytes:
    """Called by ssl for an encrypted key; without it, it would ask the terminal."""
    raise ValueError("the key has a password")


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error).lower().replace("_", " ")


def read(path: str, *, secret: bool = False) -> bytes:
    """A whole file; of a secret one, only if its owner alone may touch it.

    Raises: ConfigurationError.
    """
    try:
        with Path(path).open("rb") as file:
            if secret:
                _require_private(path, file.fileno())
            return file.read(MOST_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None


def _require_private(path: str, descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if not is_private(mode, _access_list(descriptor), os.geteuid()):
        raise ConfigurationError(
            f"{path}: others may read or change it (mode {stat.S_IMODE(mode):04o}); "
            f"protect it with: chmod 600 {path}"
        )


def _access_list(descriptor: int) -> bytes:
    """Empty where the file has none, or its file system knows none."""
    try:
        return os.getxattr(descriptor, ACCESS_LIST)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return b""
        raise
