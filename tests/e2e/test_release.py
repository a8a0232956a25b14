"""What a run held is free for whoever comes after it, however that run ended."""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from tests.e2e.census import pid_of

CONFIG = """
[children_config.fenrir]
line_names = { relay = 5, led = 17 }
safe_levels = { relay = true }

[children_config.jormungandr]
timeout_s = 60
"""
TOOLS = """
[[tools]]
name = "hold"
return_type = "void"
script = { inline = "fenrir:gpio_write('relay', false) loki.emit('held') loki.sleep(60000)" }
limits = { max_execution_time_ms = 60000 }
permissions = { gpio = ["*"] }

[[tools]]
name = "spin"
return_type = "void"
script = { inline = "fenrir:gpio_write('relay', false) while true do end" }
limits = { max_execution_time_ms = 60 }
permissions = { gpio = ["*"] }

[[tools]]
name = "take"
return_type = "boolean"
script = { inline = \"\"\"
local before = fenrir:gpio_read('relay')
fenrir:gpio_write('relay', false)
return before\"\"\" }
permissions = { gpio = ["*"] }
limits = { max_execution_time_ms = 60000 }
wait_for_child_ms = 30000

[[tools]]
name = "fetch"
parameters = [{ name = "url", type = "string" }]
return_type = "string"
script = { inline = "return jormungandr:http_get(params.url)" }
limits = { max_execution_time_ms = 60000 }
permissions = { http = ["http://127.0.0.1:*/"] }

[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }
"""
PATIENCE_S = 30.0
AGAIN = 30
COMING_BACK = ("UNAVAILABLE", "NOT_FOUND")


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    environment = {"LOKI_SUPERVISION__INTENSITY": "100"}
    with LokiServer(config=CONFIG, tools=TOOLS, environment=environment) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        assert soon(lambda: connected.execute("one").value == 1)
        yield connected


def soon(true: Callable[[], bool]) -> bool:
    """Once the parts that a test killed are back."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            if true():
                return True
        except LokiClientError as error:
            if error.code_name not in COMING_BACK:
                raise
    return False


def kill(pid: int) -> None:
    """And wait until it is gone."""
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)


def runner_of(client: LokiClient, script: str) -> int:
    (record,) = [r for r in client.list_executions(state="running") if r.script == script]
    return record.runner_pid


def test_the_next_run_gets_the_line_of_one_that_has_returned(client: LokiClient) -> None:
    """S-6.5.2: and finds it in its safe state."""
    for _ in range(AGAIN * 3):
        assert client.execute("take").value is True


def test_the_next_run_gets_the_line_of_one_whose_time_was_up(client: LokiClient) -> None:
    for _ in range(AGAIN):
        with pytest.raises(LokiClientError) as caught:
            client.execute("spin")
        assert caught.value.reason == "TIME_BUDGET"
        assert client.execute("take").value is True


def test_the_next_run_gets_the_line_of_one_whose_runner_was_killed(client: LokiClient) -> None:
    for _ in range(AGAIN // 3):
        with client.stream("hold") as events:
            next(events)
            os.kill(runner_of(client, "hold"), signal.SIGKILL)
            with pytest.raises(LokiClientError) as caught:
                list(events)
        assert caught.value.reason == "RUNNER_CRASHED"
        assert client.execute("take").value is True


def test_a_line_stays_taken_as_long_as_its_run_lasts(client: LokiClient) -> None:
    with client.stream("hold") as events:
        next(events)
        with pytest.raises(LokiClientError, match="line 5 'relay' belongs to 'hold'"):
            client.execute("take")
    assert soon(lambda: not list(client.list_executions(state="running")))


def test_a_runner_that_dies_while_the_board_restarts_leaves_nothing_taken(
    server: LokiServer, client: LokiClient
) -> None:
    with client.stream("hold") as events:
        next(events)
        runner = runner_of(client, "hold")
        kill(pid_of(server, "fenrir"))
        kill(runner)
        with pytest.raises(LokiClientError):
            list(events)
    assert client.execute("take").value is True


def test_runs_of_a_dispatcher_that_died_hold_no_line(
    server: LokiServer, client: LokiClient
) -> None:
    with client.stream("hold") as events:
        next(events)
        kill(pid_of(server, "dispatcher"))
        with pytest.raises(LokiClientError):
            list(events)
    assert soon(lambda: client.execute("one").value == 1)
    assert client.execute("take").value is True


def test_runs_of_a_dispatcher_that_died_hold_no_connection(
    server: LokiServer, client: LokiClient
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as page:
        page.settimeout(PATIENCE_S)
        url = f"http://127.0.0.1:{page.getsockname()[1]}/"
        with client.stream("fetch", {"url": url}) as events:
            connection, _ = page.accept()
            connection.settimeout(PATIENCE_S)
            assert connection.recv(65536).startswith(b"GET ")
            kill(pid_of(server, "dispatcher"))
            with connection:
                assert connection.recv(1) == b""
            with pytest.raises(LokiClientError):
                list(events)
