"""Children with much to do: none of it keeps them from answering, so none of them is restarted."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from loki.client import LokiClient
from loki.testing import LokiServer

CONFIG = """
[resource_limits]
max_memory_mb = 128
max_execution_time_ms = 60000

[children_config.hel]
max_file_kb = 8192
max_value_kb = 8192
cache_mb = 128

[children_config.jormungandr]
timeout_s = 60
"""
TOOLS = """
[[tools]]
name = "fill"
parameters = [{ name = "key", type = "string" }]
return_type = "integer"
permissions = { files = "rw", storage = true }
script = { inline = \"\"\"
local text, table = ('x'):rep(7000000), {}
for i = 1, 50000 do table[i] = { i } end
for _ = 1, 3 do
  hel:fs_write(params.key, text)
  hel:storage_set(params.key, text)
  hel:cache_set(params.key, text)
  hel:storage_set(params.key .. '-table', table)
end
assert(hel:fs_read(params.key) == text)
assert(hel:cache_get(params.key) == text)
return #hel:storage_get(params.key .. '-table')\"\"\" }

[[tools]]
name = "fetch"
parameters = [{ name = "url", type = "string" }]
return_type = "integer"
permissions = { http = ["http://127.0.0.1:*/"] }
script = { inline = "return #jormungandr:http_get(params.url)" }
"""
PATIENCE_S = 60.0
DRIP_S = 3.0  # Longer than a part may be silent.
DRIPS = 4_000_000


@pytest.fixture
def server() -> Iterator[LokiServer]:
    with LokiServer(config=CONFIG, tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def pids(client: LokiClient) -> dict[str, int]:
    """Of the parts; runners come and go."""
    return {c.name: c.pid for c in client.get_children_status() if c.supervisor == "loki"}


def test_s_8_1_1_hel_answers_while_it_keeps_all_that_it_may(client: LokiClient) -> None:
    before = pids(client)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(client.execute, "fill", {"key": f"k{n}"}) for n in range(4)]
        assert [call.result(PATIENCE_S).value for call in calls] == [50_000] * 4
    assert pids(client) == before


def test_s_7_1_1_jormungandr_answers_while_an_answer_drips(client: LokiClient) -> None:
    before = pids(client)
    with socket.create_server(("127.0.0.1", 0)) as page, ThreadPoolExecutor(1) as pool:
        page.settimeout(PATIENCE_S)
        url = f"http://127.0.0.1:{page.getsockname()[1]}/"
        call = pool.submit(client.execute, "fetch", {"url": url})
        connection, _ = page.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % DRIPS)
            end_s, sent = time.monotonic() + DRIP_S, 0
            while time.monotonic() < end_s:
                connection.sendall(b"x")
                sent += 1
                assert pids(client) == before
            connection.sendall(b"x" * (DRIPS - sent))
            assert call.result(PATIENCE_S).value == DRIPS
    assert pids(client) == before
