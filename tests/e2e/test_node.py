"""Clients that share no code with Loki: Node.js with the .proto files, buf with reflection only."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loki import __version__
from loki.testing import LokiServer

pytestmark = pytest.mark.e2e

NODE = Path(__file__).parent / "node"
PROTO = Path(__file__).parents[2] / "proto"
BUF = NODE / "node_modules" / ".bin" / "buf"
TIMEOUT_S = 60.0


@pytest.fixture(scope="module", autouse=True)
def node(need: Callable[..., None]) -> None:
    need("node", "install Node.js 18 or newer")
    need("node", "run `make node`", here=BUF.exists())


def output_of(*command: str) -> str:
    done = subprocess.run(
        command, cwd=NODE, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def learned(server: LokiServer) -> dict[str, dict[str, Any]]:
    """What the sample platform found out, by its steps."""
    lines = output_of("node", "platform.js", server.address, str(PROTO)).splitlines()
    return {fact["step"]: fact for fact in map(json.loads, lines)}


def test_a_platform_learns_what_the_device_is(learned: dict[str, Any]) -> None:
    facts = learned["capabilities"]
    assert (facts["service"], facts["version"]) == ("loki", __version__)
    assert facts["cores"] >= 1
    assert {"fenrir", "hel", "jormungandr"} <= set(facts["children"])


def test_a_platform_lists_the_scripts_page_by_page(
    learned: dict[str, Any], server: LokiServer
) -> None:
    assert learned["scripts"]["names"] == list(server.tools)


def test_a_platform_calls_a_script_by_name(learned: dict[str, Any]) -> None:
    assert learned["call"] == {"step": "call", "value": "hello, Node", "identified": True}


def test_integers_beyond_doubles_stay_exact(learned: dict[str, Any]) -> None:
    facts = learned["integer"]
    assert (facts["same"], facts["next"]) == ("9007199254740993", "9007199254740994")
    assert facts["kind"] == "int_value"


def test_a_platform_streams(learned: dict[str, Any]) -> None:
    chunks = learned["stream"]["chunks"]
    assert chunks.count("value") == 3
    assert chunks[-1] == "result"
    assert {"output", "progress"} <= set(chunks)


def test_a_platform_watches_what_happens(learned: dict[str, Any]) -> None:
    assert learned["watch"] == {
        "step": "watch",
        "items": ["started", "event"],
        "fact": "script_changed",
        "name": "made_by_node",
        "change": "SCRIPT_CHANGE_ADDED",
        "origin": "SCRIPT_ORIGIN_REGISTERED",
    }


def test_an_error_carries_its_reason(learned: dict[str, Any]) -> None:
    assert learned["error"] == {
        "step": "error",
        "code": "NOT_FOUND",
        "reason": "SCRIPT_NOT_FOUND",
        "domain": "loki",
    }


def buf_curl(server: LokiServer, *words: str) -> str:
    """Knows the server's address and nothing else: the schema comes by reflection."""
    *options, url = words
    target = f"http://{server.address}{url}"
    return output_of(str(BUF), "curl", "--http2-prior-knowledge", *options, target)


def test_reflection_lists_the_methods(server: LokiServer) -> None:
    methods = buf_curl(server, "--protocol", "grpc", "--list-methods", "").split()
    for method in ("GetCapabilities", "ExecuteScript", "StreamScriptExecution"):
        assert f"loki.v1.LokiService/{method}" in methods


def test_reflection_is_enough_to_call(server: LokiServer) -> None:
    body = json.dumps({"input": {"name": "hello", "arguments": {"name": {"stringValue": "buf"}}}})
    answer = buf_curl(
        server, "--protocol", "grpc", "-d", body, "/loki.v1.LokiService/ExecuteScript"
    )
    assert json.loads(answer)["result"]["value"] == {"stringValue": "hello, buf"}
