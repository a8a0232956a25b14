"""From tool files to results over real gRPC: every child, and what its log tells of a run."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from loki.client import LokiClient
from loki.testing import LokiServer
from loki.v1 import device_pb2

CONFIG = """
[resource_limits]
max_memory_mb = 9
max_execution_time_ms = 40000
"""
TOOLS = """
[[tools]]
name = "add"
parameters = [
  { name = "a", type = "integer" },
  { name = "b", type = "number", required = false, default = 0.5 },
]
return_type = "number"
script = { inline = "return params.a + params.b" }

[[tools]]
name = "blink"
return_type = "boolean"
script = { inline = "fenrir:gpio_write(17, true) return fenrir:gpio_read(17)" }
permissions = { gpio = [17] }

[[tools]]
name = "fetch"
parameters = [{ name = "url", type = "string" }]
return_type = "string"
script = { inline = "return jormungandr:http_get(params.url)" }
permissions = { http = ["http://127.0.0.1:*/"] }

[[tools]]
name = "remember"
parameters = [{ name = "word", type = "string" }]
return_type = "string"
script = { inline = "hel:storage_set('w', params.word) return hel:storage_get('w')" }
permissions = { storage = true }

[[tools]]
name = "limited"
return_type = "object"
script = { inline = "return loki.budget()" }
limits = { max_memory_mb = 5 }

[[tools]]
name = "needs_pin"
return_type = "string"
script = { inline = '''
local ok, refused = pcall(function() return fenrir:gpio_read(18) end)
return refused.code'''}
permissions = { gpio = [17] }
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    debug = {"LOKI_LOGGING__LEVEL": "DEBUG"}
    with LokiServer(config=CONFIG, tools=TOOLS, environment=debug) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as page:
        thread = threading.Thread(target=page.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{page.server_port}/"
        page.shutdown()
        thread.join()


def test_s_3_2_1_one_command_serves_the_tools_and_every_child(
    server: LokiServer, client: LokiClient
) -> None:
    assert {s.name for s in client.list_scripts()} == set(server.tools)
    assert {c.name for c in client.get_children_status()} >= {"hel", "fenrir", "jormungandr"}
    parts = [c for c in client.get_children_status() if c.supervisor == "loki"]
    assert {c.state for c in parts} == {device_pb2.CHILD_STATE_UP}


def test_s_14_1_1_a_tool_of_a_file_gives_its_result(client: LokiClient) -> None:
    done = client.execute("add", {"a": 2})
    assert (done.value, done.usage.api_calls) == (2.5, 0)


def test_s_4_2_3_arguments_replace_defaults(client: LokiClient) -> None:
    assert client.execute("add", {"a": -1, "b": 0.25}).value == -0.75


def test_s_4_3_1_limits_come_from_the_tool_and_then_the_defaults(client: LokiClient) -> None:
    budgets = client.execute("limited").usage.budgets
    assert (budgets["max_memory_mb"], budgets["max_execution_time_ms"]) == (5, 40000)
    assert client.execute("add", {"a": 1}).usage.budgets["max_memory_mb"] == 9


def test_s_14_1_2_scripts_use_hardware_network_and_storage(client: LokiClient, url: str) -> None:
    assert client.execute("blink").value is True
    assert client.execute("fetch", {"url": url}).value == "hello"
    assert client.execute("remember", {"word": "swim"}).value == "swim"


def test_s_3_2_2_a_childs_log_tells_for_which_run_it_was_asked(
    server: LokiServer, client: LokiClient
) -> None:
    run = client.execute("remember", {"word": "x"}).id
    asked = [line for line in server.log.splitlines() if f"loki.hel trace={run} " in line]
    assert any("SetStored from runner-" in line for line in asked)


def test_s_9_1_2_the_manifest_decides_and_not_the_text_of_the_script(client: LokiClient) -> None:
    assert client.execute("needs_pin").value == "SCRIPT_PERMISSION"
