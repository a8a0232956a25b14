"""HTTP over TLS as a whole gateway serves it."""

import http.client
import ssl
from collections.abc import Callable
from pathlib import Path

from loki.certificate import PairFiles, make_authority, make_server, now_utc
from loki.grpc_gateway.security import renewal
from loki.messages.access import AccessConfig, TlsFiles
from loki.messages.gateway import HttpConfig
from tests.unit.loki.conftest import TIMEOUT_S, FakeShell, Hosted


def test_it_shows_the_certificate_that_grpc_shows_also_a_new_one(
    shell: FakeShell, host: Callable[..., Hosted], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(renewal, "LOOK_S", 0.02)
    files = PairFiles.of(tmp_path, "server")
    authority = make_authority(PairFiles.of(tmp_path, "ca"), "Test", now_utc())
    make_server(files, authority, ("127.0.0.1",), 5, now_utc())
    tls = TlsFiles(certificate=str(files.certificate), key=str(files.key))
    hosted = host(shell, http=HttpConfig(port=0), access=AccessConfig(tls=tls))
    scheme, address = hosted.http.split("://")
    assert scheme == "https"
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    connection = http.client.HTTPSConnection(address, context=trust, timeout=TIMEOUT_S)
    connection.request("POST", "/nothing", b"{}", {"Content-Type": "application/json"})
    assert connection.getresponse().status == 404
    name, port = address.split(":")
    old = shown(name, port)
    files.certificate.unlink()
    files.key.unlink()
    make_server(files, authority, ("127.0.0.1",), 5, now_utc())
    while shown(name, port) == old:  # The test's own time-out ends it.
        pass
    assert shown(name, port) == files.certificate.read_text().strip()


def shown(host: str, port: str) -> str:
    return ssl.get_server_certificate((host, int(port)), timeout=TIMEOUT_S).strip()
