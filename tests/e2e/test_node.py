"""A client that shares no code with Loki: Node.js with the .proto files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loki import __version__
from loki.grpc_gateway.service.device import describe
from loki.testing import LokiServer
from tests.e2e.foreign import need_node, output_of

pytestmark = pytest.mark.e2e

PROTO = Path(__file__).parents[2] / "proto"


@pytest.fixture(scope="module", autouse=True)
def node(need: Callable[..., None]) -> None:
    need_node(need)


@pytest.fixture(scope="module")
def learned(server: LokiServer) -> dict[str, dict[str, Any]]:
    """What the sample platform found out, by its steps."""
    lines = output_of("node", "platform.js", server.address, str(PROTO)).splitlines()
    return {fact["step"]: fact for fact in map(json.loads, lines)}


def test_s_r_8_a_platform_learns_what_the_device_is(learned: dict[str, Any]) -> None:
    facts, here = learned["capabilities"], describe({})
    assert (facts["service"], facts["version"]) == ("loki", __version__)
    assert facts["cores"] >= 1
    assert (facts.get("model", ""), facts.get("buses", [])) == (here.model, list(here.buses))
    assert {"fenrir", "hel", "jormungandr"} <= set(facts["children"])


def test_a_platform_lists_the_scripts_page_by_page(
    learned: dict[str, Any], server: LokiServer
) -> None:
    assert learned["scripts"]["names"] == list(server.tools)


def test_a_platform_calls_a_script_by_name(learned: dict[str, Any]) -> None:
    assert learned["call"] == {"step": "call", "value": "hello, Jörmungandr", "identified": True}


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
