"""Binding the second port, and why it fails; the first is tried with the server."""

import socket
import stat
from pathlib import Path

import pytest

from loki.errors import ConfigurationError
from loki.grpc_gateway.address import bind, listen
from loki.messages.gateway import GatewayConfig


def test_any_free_port_will_do() -> None:
    with listen("127.0.0.1", 0, None) as bound:
        host, port = bound.getsockname()
        assert (host, port > 0) == ("127.0.0.1", True)
        socket.create_connection((host, port), 10).close()


def test_a_taken_port_is_named_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"http.port = {port}.*in use.*choose another"):
            listen("127.0.0.1", port, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "example.org"])
def test_other_devices_are_not_let_in_without_tls(host: str) -> None:
    with pytest.raises(ConfigurationError, match="without TLS"):
        listen(host, 0, None)


class Server:
    """As much of gRPC's server as binds."""

    def add_insecure_port(self, address: str) -> int:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(address.removeprefix("unix:"))
        return 1


def bind_at(path: Path) -> str:
    config = GatewayConfig(version="1", host=f"unix:{path}")
    return bind(Server(), config, None)  # type: ignore[arg-type]


def test_a_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "loki.sock"
    assert bind_at(path) == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_a_dead_server_left_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "loki.sock"
    bind_at(path)
    bind_at(path)
    assert stat.S_ISSOCK(path.stat().st_mode)


def test_a_server_that_lives_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "loki.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(ConfigurationError, match="another program serves there"):
            bind_at(path)
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "words"), [("file", "no socket"), ("x" * 108, "107 bytes"), ("file/x", "cannot")]
)
def test_other_paths_are_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigurationError, match=words):
        bind_at(tmp_path / name)
    assert (tmp_path / "file").read_text() == "precious"
