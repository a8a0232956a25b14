"""Idle connections, as many as `make connections COUNT=10000` says; a few hundred otherwise."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from loki.testing import LokiServer
from tests.e2e.http2 import PREFACE

pytestmark = pytest.mark.e2e

COUNT = int(os.environ.get("LOKI_CONNECTIONS", "300"))
SPARE = 600  # Descriptors beside the connections, here and in the gateway.
TIMEOUT_S = 60.0
FEW = 10  # Descriptors of others that come or go meanwhile, as of the client before.
TOOLS = """
[[tools]]
name = "echo"
parameters = [{ name = "n", type = "integer", required = true }]
return_type = "integer"
script = { inline = "return params.n" }
"""


@pytest.fixture
def files() -> Iterator[None]:
    """Room for as many connections; skipped where the system has none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = COUNT + SPARE
    if hard < needed and hard >= 0:
        pytest.skip(f"{COUNT} connections need {needed} open files; ulimit -Hn allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Gateway:
    """What the kernel tells of the gateway's process."""

    def __init__(self, server: LokiServer) -> None:
        with server.client() as client:
            pids = {child.name: child.pid for child in client.get_children_status()}
        self._path = Path(f"/proc/{pids['gateway']}")

    def open_files(self) -> int:
        return len(list((self._path / "fd").iterdir()))

    def memory_kb(self) -> int:
        lines = (self._path / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def opened(server: LokiServer, stack: ExitStack) -> None:
    """One more connection, which the server has answered."""
    host, port = server.address.split(":")
    connection = stack.enter_context(socket.create_connection((host, int(port)), TIMEOUT_S))
    connection.sendall(PREFACE)
    assert connection.recv(9), "the server closed it"


def test_idle_connections_hold_up_nobody(files: None) -> None:
    environment = {"LOKI_GRPC__MAX_CONNECTIONS": str(COUNT + 10)}
    with LokiServer(tools=TOOLS, environment=environment) as server:
        gateway = Gateway(server)
        files_before, memory_before = gateway.open_files(), gateway.memory_kb()
        with ExitStack() as stack:
            for _ in range(COUNT):
                opened(server, stack)
            with server.client() as client:
                assert client.execute("echo", {"n": 7}).value == 7
            grown = gateway.memory_kb() - memory_before
            print(f"\n{COUNT} idle connections: {grown} KiB, {grown / COUNT:.1f} KiB each")
            assert gateway.open_files() >= files_before + COUNT - FEW
        while gateway.open_files() > files_before + FEW:
            pass  # They are being closed; the test's own time-out ends it.
        with server.client() as client:
            assert client.execute("echo", {"n": 8}).value == 8
            assert {child.restarts for child in client.get_children_status()} == {0}
        assert "Traceback" not in server.log
