"""Who is killed while others wait for it: they hear of it at once, and the next call works."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest

from loki.client import LokiClient, LokiClientError, Result
from loki.testing import LokiServer
from tests.e2e.census import pid_of

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "fetch"
parameters = [{ name = "url", type = "string" }]
return_type = "string"
script = { inline = "return jormungandr:http_get(params.url)" }
limits = { max_execution_time_ms = 90000 }
wait_for_child_ms = 30000
permissions = { http = ["http://127.0.0.1:*/"] }
"""
PATIENCE_S = 30.0  # Before any budget or deadline ends a fetch.
STREAMING = """
import sys
from loki.client import LokiClient

with LokiClient(sys.argv[1]) as client, client.stream("fetch", {"url": sys.argv[2]}) as events:
    list(events)
"""


@pytest.fixture
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


@pytest.fixture
def page() -> Iterator[socket.socket]:
    """Listens on a free port; what connects gets no answer but what a test gives it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


def kill(server: LokiServer, name: str) -> None:
    """And wait until it is gone."""
    pid = pid_of(server, name)
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)


def url_of(page: socket.socket) -> str:
    return f"http://127.0.0.1:{page.getsockname()[1]}/"


def taken(page: socket.socket) -> socket.socket:
    """The connection of a script that now waits for its page."""
    connection, _ = page.accept()
    connection.settimeout(PATIENCE_S)
    assert connection.recv(65536).startswith(b"GET ")
    return connection


def abandoned(connection: socket.socket) -> bool:
    """Wait until nobody is left who wants the page: a run's requests end with the run."""
    return connection.recv(1) == b""


def test_a_child_killed_in_the_middle_of_a_call_fails_that_call(
    server: LokiServer, client: LokiClient, page: socket.socket
) -> None:
    with client.stream("fetch", {"url": url_of(page)}) as events, taken(page):
        kill(server, "jormungandr")
        with pytest.raises(LokiClientError) as caught:
            list(events)
    assert (caught.value.code_name, caught.value.reason) == ("UNAVAILABLE", "CHILD_DOWN")
    assert "jormungandr" in caught.value.message
    with client.stream("fetch", {"url": url_of(page)}) as events:
        with taken(page) as connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        *_, result = events
    assert isinstance(result, Result)
    assert result.execution.value == "hello"


def test_a_gateway_killed_in_the_middle_of_a_call_fails_it_and_comes_back(
    server: LokiServer, client: LokiClient, page: socket.socket
) -> None:
    with client.stream("fetch", {"url": url_of(page)}) as events, taken(page):
        kill(server, "gateway")
        with pytest.raises(LokiClientError) as caught:
            list(events)
    assert caught.value.code_name == "UNAVAILABLE"
    with grpc.insecure_channel(server.address) as channel:
        grpc.channel_ready_future(channel).result(PATIENCE_S)
    with server.client() as fresh:
        assert fresh.execute("one").value == 1


def test_s_3_1_8_a_client_killed_in_the_middle_of_a_stream_ends_its_run(
    server: LokiServer, client: LokiClient, page: socket.socket
) -> None:
    process = subprocess.Popen([sys.executable, "-c", STREAMING, server.address, url_of(page)])
    with process, taken(page) as connection:
        process.kill()
        assert abandoned(connection)
    assert client.execute("one").value == 1
