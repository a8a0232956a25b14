"""A whole Loki at a socket in the file system, and its neighbours."""

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loki.client import LokiClientError
from loki.errors import ServiceUnavailable
from loki.testing import LokiServer

pytestmark = pytest.mark.e2e

TOOLS = """
[[tools]]
name = "greet"
parameters = [{ name = "name", type = "string", required = true }]
return_type = "string"
script = { inline = "return 'hallo, ' .. params.name" }
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("socket") / "run" / "loki.sock"


@pytest.fixture(scope="module")
def server(path: Path) -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, environment={"LOKI_GRPC_HOST": f"unix:{path}"}) as running:
        yield running
    assert not path.exists()


def test_only_the_owner_may_open_it(server: LokiServer, path: Path) -> None:
    assert server.address == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_command_line_calls_through_it(server: LokiServer, loki: Callable[..., object]) -> None:
    called = loki("call", "greet", "name=Jörmungandr")
    assert called.stdout == "hallo, Jörmungandr\n"  # type: ignore[attr-defined]


def test_a_second_loki_does_not_take_it_over(server: LokiServer) -> None:
    second = LokiServer(tools=TOOLS, environment={"LOKI_GRPC_HOST": server.address})
    with pytest.raises(ServiceUnavailable, match="another program serves there"):
        second.start()
    with server.client() as client:
        assert client.execute("greet", {"name": "Ada"}).value == "hallo, Ada"


def test_a_killed_gateway_comes_back_to_it(server: LokiServer) -> None:
    with server.client() as client:
        pids = {child.name: child.pid for child in client.get_children_status()}
        os.kill(pids["gateway"], signal.SIGKILL)
        while True:  # The test's own time-out ends it.
            try:
                again = {child.name: child.pid for child in client.get_children_status()}
            except LokiClientError:
                continue
            if again["gateway"] != pids["gateway"]:
                break
        assert client.execute("greet", {"name": "Ada"}).value == "hallo, Ada"
