"""What a client sees of the certificate, before and after its files change."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from loki.certificate import PairFiles, make_authority, make_server, now_utc, read_authority
from loki.errors import ConfigurationError
from loki.grpc_gateway.security.tls import Tls
from loki.messages.access import TlsFiles


@pytest.fixture
def server(tmp_path: Path) -> PairFiles:
    authority = make_authority(PairFiles.of(tmp_path, "ca"), "Test", now_utc())
    files = PairFiles.of(tmp_path, "server")
    make_server(files, authority, ("localhost",), 5, now_utc())
    return files


@pytest.fixture
def tls(server: PairFiles) -> Tls:
    return Tls(TlsFiles(certificate=str(server.certificate), key=str(server.key)))


@pytest.fixture
def port(tls: Tls) -> Iterator[int]:
    served = grpc.server(ThreadPoolExecutor(max_workers=1))
    bound = served.add_secure_port("127.0.0.1:0", tls.credentials())
    served.start()
    yield bound
    served.stop(None).wait()


def shown(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10).strip()


def renew(server: PairFiles) -> None:
    authority = read_authority(PairFiles.of(server.key.parent, "ca"))
    server.certificate.unlink()
    server.key.unlink()
    make_server(server, authority, ("localhost",), 5, now_utc())


def test_new_files_are_shown_from_the_next_handshake_on(
    tls: Tls, server: PairFiles, port: int
) -> None:
    old = server.certificate.read_text().strip()
    renew(server)
    assert shown(port) == old
    assert tls.show(tls.read(now_utc()).pem)
    assert shown(port) == server.certificate.read_text().strip() != old
    assert not tls.show(tls.read(now_utc()).pem)


def test_files_that_do_not_hold_leave_the_old_ones_in_place(
    tls: Tls, server: PairFiles, port: int
) -> None:
    old = server.certificate.read_text().strip()
    server.certificate.write_text("broken")
    with pytest.raises(ConfigurationError):
        tls.read(now_utc())
    assert shown(port) == old


def test_other_servers_hear_of_a_new_certificate(tls: Tls, server: PairFiles) -> None:
    heard: list[bool] = []
    tls.watch(lambda: heard.append(True))
    assert tls.context().verify_mode is ssl.CERT_NONE
    renew(server)
    tls.show(tls.read(now_utc()).pem)
    tls.show(tls.read(now_utc()).pem)
    assert heard == [True]


def test_other_servers_ask_for_client_certificates_where_grpc_does(server: PairFiles) -> None:
    ca = PairFiles.of(server.key.parent, "ca").certificate
    files = TlsFiles(certificate=str(server.certificate), key=str(server.key), client_ca=str(ca))
    assert Tls(files).context().verify_mode is ssl.CERT_REQUIRED
