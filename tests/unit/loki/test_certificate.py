"""Certificates as OpenSSL judges them, by shaking hands."""

import socket
import ssl
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from loki.certificate import (
    PairFiles,
    make_authority,
    make_client,
    make_server,
    make_token,
    now_utc,
    read_authority,
    write_new,
)
from loki.errors import ConfigurationError


class Folder:
    """An authority with a server and a client."""

    def __init__(self, path: Path) -> None:
        now = now_utc()
        self.ca = PairFiles.of(path, "ca")
        self.server = PairFiles.of(path, "server")
        self.client = PairFiles.of(path, "client")
        authority = make_authority(self.ca, "Test", now)
        make_server(self.server, authority, ("device.home", "127.0.0.1", "::1"), 30, now)
        make_client(self.client, authority, "panel", 30, now)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("tls"))


def shake_hands(folder: Folder, name: str, shown: PairFiles, server: PairFiles) -> str:
    """The common name of a client whom both sides accept. Raises: ssl.SSLError."""
    accepting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder.ca.certificate)
    accepting.verify_mode = ssl.CERT_REQUIRED
    accepting.load_cert_chain(server.certificate, server.key)
    accepting.maximum_version = ssl.TLSVersion.TLSv1_2  # The client hears of a refusal at once.
    calling = ssl.create_default_context(cafile=folder.ca.certificate)
    calling.load_cert_chain(shown.certificate, shown.key)
    ours, theirs = socket.socketpair()
    seen: list[str] = []

    def accept() -> None:
        try:
            with accepting.wrap_socket(theirs, server_side=True) as accepted:
                subject = accepted.getpeercert()["subject"]  # type: ignore[index]
                seen.append(dict(pair for part in subject for pair in part)["commonName"])
        except ssl.SSLError:
            theirs.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        with calling.wrap_socket(ours, server_hostname=name) as connected:
            connected.recv(1)
    finally:
        ours.close()
        thread.join(60)
    return seen[0]


@pytest.mark.parametrize("name", ["device.home", "127.0.0.1", "::1"])
def test_a_server_is_what_its_certificate_says(folder: Folder, name: str) -> None:
    assert shake_hands(folder, name, folder.client, folder.server) == "panel"


def test_a_server_is_nothing_else(folder: Folder) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(folder, "other.home", folder.client, folder.server)


def test_a_client_certificate_serves_nobody(folder: Folder) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake_hands(folder, "panel", folder.client, folder.client)


def test_a_server_certificate_lets_nobody_in(folder: Folder) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shake_hands(folder, "device.home", folder.server, folder.server)


def test_an_expired_certificate_is_refused(folder: Folder, tmp_path: Path) -> None:
    old = PairFiles.of(tmp_path, "old")
    past = now_utc() - timedelta(days=10)
    make_server(old, read_authority(folder.ca), ("device.home",), 5, past)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(folder, "device.home", folder.client, old)


def test_keys_and_tokens_are_for_their_owner_alone(folder: Folder, tmp_path: Path) -> None:
    make_token(tmp_path / "token")
    for path in (folder.ca.key, folder.server.key, folder.client.key, tmp_path / "token"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len((tmp_path / "token").read_text().strip()) >= 40


def test_no_two_tokens_are_alike(tmp_path: Path) -> None:
    for name in "ab":
        make_token(tmp_path / name)
    assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()


def test_nothing_is_written_over(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is there already"):
        make_authority(folder.ca, "Other", now_utc())
    path = tmp_path / "x"
    write_new(path, b"old", 0o600)
    with pytest.raises(ConfigurationError, match="is there already"):
        write_new(path, b"new", 0o600)
    assert path.read_bytes() == b"old"


def test_what_no_certificate_can_name_is_told(folder: Folder, tmp_path: Path) -> None:
    authority = read_authority(folder.ca)
    with pytest.raises(ConfigurationError, match="'gerät' is no host name in ASCII"):
        make_server(PairFiles.of(tmp_path, "s"), authority, ("gerät",), 5, now_utc())


def test_an_authority_that_is_none_is_told(tmp_path: Path) -> None:
    files = PairFiles.of(tmp_path, "ca")
    files.certificate.write_text("no certificate")
    with pytest.raises(ConfigurationError, match="cannot be read as an authority"):
        read_authority(files)
