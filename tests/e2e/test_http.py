"""A whole Loki over HTTP, called by software that shares no code with it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loki.testing import LokiServer
from tests.e2e.foreign import BUF, NODE, need_node, output_of

pytestmark = pytest.mark.e2e

PROTO = Path(__file__).parents[2] / "proto"
CONNECT = NODE / "node_modules" / "@connectrpc" / "connect-node"
TOOLS = """
[[tools]]
name = "greet"
parameters = [{ name = "name", type = "string", required = true }]
return_type = "string"
script = { inline = "return 'hallo, ' .. params.name" }

[[tools]]
name = "square"
parameters = [{ name = "n", type = "integer", required = true }]
return_type = "integer"
script = { inline = "return params.n * params.n" }

[[tools]]
name = "sleeper"
parameters = [{ name = "name", type = "string" }]
return_type = "void"
script = { inline = "loki.sleep(60000)" }
limits = { max_execution_time_ms = 60000 }
"""
GREET = "/loki.tools.v1.GreetService/Call"
FETCH = """
const [url, origin] = process.argv.slice(1);
const headers = {"content-type": "application/json"};
if (origin) headers.origin = origin;
const answer = await fetch(url, {method: "POST", headers, body: '{"name": "Jörmungandr"}'});
console.log(JSON.stringify({status: answer.status, body: await answer.json()}));
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, environment={"LOKI_HTTP__PORT": "0"}) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def curl(server: LokiServer, need: Callable[..., None]) -> Callable[..., str]:
    need("curl", "install curl", here=bool(shutil.which("curl")))
    return lambda path, *options: output_of("curl", "-sS", *options, f"{server.http}{path}")


def test_curl_calls_a_script_in_one_line(curl: Callable[..., str]) -> None:
    assert json.loads(curl("/loki.tools.v1.SquareService/Call", "-d", '{"n":5}'))["value"] == "25"


def test_curl_keeps_umlauts_and_reads_errors(curl: Callable[..., str]) -> None:
    kind = "content-type: application/json"
    assert json.loads(curl(GREET, "-H", kind, "-d", '{"name":"Jörmungandr"}')) | {"usage": 0} == {
        "value": "hallo, Jörmungandr",
        "usage": 0,
    }
    error = json.loads(curl(GREET, "-H", kind, "-d", "{}"))
    assert (error["code"], error["details"][0]["debug"]["reason"]) == (
        "invalid_argument",
        "ARGUMENT_INVALID",
    )


def test_buf_speaks_the_protocol_to_us(server: LokiServer, need: Callable[..., None]) -> None:
    need_node(need)
    said = output_of(
        *(str(BUF), "curl", "--protocol", "connect", "--schema", str(PROTO)),
        *("-d", '{"input": {"name": "greet", "arguments": {"name": {"stringValue": "Ö"}}}}'),
        f"{server.http}/loki.v1.LokiService/ExecuteScript",
    )
    assert json.loads(said)["result"]["value"] == {"stringValue": "hallo, Ö"}


def test_the_protocols_own_library_understands_us(
    server: LokiServer, need: Callable[..., None], tmp_path: Path
) -> None:
    need_node(need)
    need("node", "run `make node`", here=CONNECT.exists())
    image = tmp_path / "image.binpb"
    output_of(str(BUF), "build", str(PROTO), "-o", str(image))
    lines = output_of("node", "connect.js", server.http, str(image)).splitlines()
    told = [json.loads(line) for line in lines]
    calls, (missing, late, stream) = told[:2], told[2:]
    assert [(each["binary"], each["value"]) for each in calls] == [
        (False, "hallo, Jörmungandr"),
        (True, "hallo, Jörmungandr"),
    ]
    assert (missing["code"], missing["script"]) == ("NotFound", "nope")
    assert "did you mean" in missing["message"] or "no script 'nope'" in missing["message"]
    assert late["code"] == "DeadlineExceeded"
    assert stream["code"] == "Unimplemented"
    assert server.address in stream["message"]


def test_node_fetches_and_a_strangers_page_does_not(
    server: LokiServer, need: Callable[..., None]
) -> None:
    need("node", "install Node.js 18 or newer")

    def fetched(*origin: str) -> Any:
        program = ("node", "--input-type=module", "-e", FETCH)
        return json.loads(output_of(*program, server.http + GREET, *origin))

    assert fetched()["body"]["value"] == "hallo, Jörmungandr"
    refused = fetched("https://evil.example")
    assert (refused["status"], refused["body"]["code"]) == (403, "permission_denied")


def test_a_killed_gateway_is_back_at_the_same_address(
    server: LokiServer, curl: Callable[..., str]
) -> None:
    with server.client() as client:
        pids = {child.name: child.pid for child in client.get_children_status()}
    again = ("--retry", "20", "--retry-delay", "0", "--retry-all-errors", "--max-time", "30")
    subprocess.run(["kill", "-KILL", str(pids["gateway"])], check=True)
    assert json.loads(curl(GREET, *again, "-d", '{"name":"Ada"}'))["value"] == "hallo, Ada"
