"""S-6.1.1: Fenrir dies in the middle of a run that drives pins; what becomes of both."""

import os
import select
import signal
import socket
import time
from collections.abc import Iterator

import msgspec
import pytest
from fenrir_actor.board import board_of
from fenrir_actor.config import FenrirConfig
from fenrir_actor.ledger import Ledger

from loki.client import LokiClient, LokiClientError, Result
from loki.testing import LokiServer
from tests.e2e.census import pid_of

CONFIG = """
[children_config.fenrir]
line_names = { relay = 5, led = 17, lamp = 18 }
safe_levels = { relay = true }
"""
STEER = """
[[tools]]
name = "{name}"
parameters = [{{ name = "url", type = "string" }}]
return_type = "string"
script = {{ inline = \"\"\"
fenrir:gpio_write('relay', false)
fenrir:gpio_write('led', true)
jormungandr:http_get(params.url)
{then_}\"\"\" }}
limits = {{ max_execution_time_ms = 30000 }}
permissions = {{ gpio = ["*"], http = ["http://127.0.0.1:*/"] }}
wait_for_child_ms = 20000
"""
TOOLS = (
    STEER.format(name="careless", then_="return tostring(fenrir:gpio_read('led'))")
    + STEER.format(
        name="careful",
        then_="""
local ok, problem = pcall(function() fenrir:gpio_write('led', true) end)
local led, relay = fenrir:gpio_read('led'), fenrir:gpio_read('relay')
fenrir:gpio_write('led', true)
return string.format('%s %s %s %s', problem.code, led, relay, fenrir:gpio_read('led'))""",
    )
    + """
[[tools]]
name = "light"
return_type = "void"
script = { inline = "fenrir:gpio_write('lamp', true)" }
permissions = { gpio = ["*"] }

[[tools]]
name = "levels"
return_type = "string"
script = { inline = \"\"\"
return string.format('%s %s %s', fenrir:gpio_read('relay'), fenrir:gpio_read('led'),
                     fenrir:gpio_read('lamp'))\"\"\" }
permissions = { gpio = ["*"] }
limits = { max_execution_time_ms = 30000 }
wait_for_child_ms = 20000
"""
)
PATIENCE_S = 20.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\ngo"


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(config=CONFIG, tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def end(server: LokiServer, sent: signal.Signals) -> None:
    """Of Fenrir; wait until it is gone."""
    pid = pid_of(server, "fenrir")
    pidfd = os.pidfd_open(pid)
    os.kill(pid, sent)
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)


def interrupted(server: LokiServer, client: LokiClient, tool: str, sent: signal.Signals) -> str:
    """What a run returns that drives pins while Fenrir ends."""
    with socket.create_server(("127.0.0.1", 0)) as page:
        page.settimeout(PATIENCE_S)
        url = f"http://127.0.0.1:{page.getsockname()[1]}/"
        with client.stream(tool, {"url": url}) as events:
            connection, _ = page.accept()
            with connection:
                connection.recv(65536)
                assert client.execute("levels").value.startswith("false true")
                end(server, sent)
                connection.sendall(ANSWER)
            *_, result = events
    assert isinstance(result, Result)
    return result.execution.value


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_run_hears_that_its_pins_were_reset_and_may_set_them_anew(
    server: LokiServer, client: LokiClient, sent: signal.Signals
) -> None:
    """A line with a safe level is at it, one without is low again."""
    assert interrupted(server, client, "careful", sent) == "CHILD_DOWN false true true"


def test_a_run_that_does_not_care_ends_with_a_clear_error(
    server: LokiServer, client: LokiClient
) -> None:
    with pytest.raises(LokiClientError) as caught:
        interrupted(server, client, "careless", signal.SIGKILL)
    assert (caught.value.code_name, caught.value.reason) == ("UNAVAILABLE", "CHILD_DOWN")
    assert "fenrir was started anew while this run drove line 5 'relay', line 17 'led'" in str(
        caught.value
    )
    assert caught.value.retry_after_s is not None


def test_what_no_run_drives_any_more_keeps_its_level_over_a_restart(
    server: LokiServer, client: LokiClient
) -> None:
    client.execute("light")
    board = board_of(
        msgspec.msgpack.encode(
            FenrirConfig(line_names={"relay": 5, "led": 17, "lamp": 18}).model_dump(mode="json")
            | {"state_dir": ""}
        )
    )
    end_s = time.monotonic() + PATIENCE_S
    while Ledger(server.state_dir / "run" / "fenrir.held", board).read():
        assert time.monotonic() < end_s, "the run never let go"
    end(server, signal.SIGKILL)
    assert client.execute("levels").value.endswith(" true")
