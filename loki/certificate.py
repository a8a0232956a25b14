"""Makes what TLS needs: a private authority, and certificates of servers and clients.

Keys are on the curve P-256, which every client of gRPC knows. Files are for their owner alone, and
none is ever written over.
"""

import ipaddress
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loki.errors import ConfigurationError

AUTHORITY_DAYS = 3650
EARLIER = timedelta(days=1)
"""Devices without a clock of their own begin in the past."""
TOKEN_BYTES = 32
KEY_USAGES = ("digital_signature", "key_cert_sign", "crl_sign")


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Where a certificate and its key are."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> "PairFiles":
        return cls(folder / f"{name}.crt", folder / f"{name}.key")

    def present(self) -> list[Path]:
        return [path for path in (self.certificate, self.key) if path.exists()]


def make_authority(files: PairFiles, name: str, now: datetime) -> Authority:
    """A new one, in those files. Raises: ConfigurationError, OSError."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    builder = _begun(subject, key, now, AUTHORITY_DAYS).issuer_name(subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True).sign(
        key, hashes.SHA256()
    )
    _write_pair(files, certificate, key)
    return Authority(certificate, key)


def read_authority(files: PairFiles) -> Authority:
    """Raises: ConfigurationError."""
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = load_pem_private_key(files.key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{files.certificate}, {files.key}: cannot be read as an authority: {error}"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{files.key}: is no key that `loki init-tls` made")
    return Authority(certificate, key)


def validity_of(pem: bytes) -> tuple[datetime, datetime]:
    """From when and until when the first certificate in PEM holds.

    Raises: ValueError for what is no certificate.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def make_server(
    files: PairFiles, authority: Authority, hosts: Sequence[str], days: int, now: datetime
) -> datetime:
    """A certificate for these host names and addresses; until when it holds.

    Raises: ConfigurationError, OSError.
    """
    names = x509.SubjectAlternativeName([_name(host) for host in hosts])
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    return _make(files, authority, hosts[0], names, usage, days=days, now=now)


def make_client(
    files: PairFiles, authority: Authority, name: str, days: int, now: datetime
) -> datetime:
    """A certificate with that common name. Raises: ConfigurationError, OSError."""
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    usage = ExtendedKeyUsageOID.CLIENT_AUTH
    return _make(files, authority, name, names, usage, days=days, now=now)


def make_token(path: Path) -> None:
    """A new token in that file. Raises: ConfigurationError, OSError."""
    write_new(path, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode(), 0o600)


def _make(
    files: PairFiles,
    authority: Authority,
    common_name: str,
    names: x509.SubjectAlternativeName,
    usage: x509.ObjectIdentifier,
    *,
    days: int,
    now: datetime,
) -> datetime:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer.value)
    builder = _begun(_subject(common_name), key, now, days)
    builder = builder.issuer_name(authority.certificate.subject)
    for extension, critical in (
        (names, False),
        (issuer, False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage("digital_signature"), True),
        (x509.ExtendedKeyUsage([usage]), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(authority.key, hashes.SHA256())
    _write_pair(files, certificate, key)
    return certificate.not_valid_after_utc


def _begun(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    public = key.public_key()
    builder = x509.CertificateBuilder(subject_name=subject, public_key=public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - EARLIER).not_valid_after(now + timedelta(days=days))
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return builder.add_extension(identifier, critical=False)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _name(host: str) -> x509.GeneralName:
    """Raises: ConfigurationError for a name that no certificate can have."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise ConfigurationError(
            f"'{host}' is no host name in ASCII (of an umlaut domain, its xn-- form)"
        ) from error


def _usage(*allowed: str) -> x509.KeyUsage:
    others = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(
        **{name: name in allowed for name in KEY_USAGES}, **dict.fromkeys(others, False)
    )


def _write_pair(
    files: PairFiles, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    if present := files.present():
        raise ConfigurationError(f"{present[0]} is there already; nothing is written over it")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_new(files.key, private, 0o600)
    write_new(files.certificate, certificate.public_bytes(Encoding.PEM), 0o644)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Raises: ConfigurationError where there is something already; OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already; nothing is written over it") from None
    with open(descriptor, "wb") as file:
        file.write(content)


def now_utc() -> datetime:
    return datetime.now(UTC)
