"""Five hundred random tools, good and bad ones, in one Loki: each gets its answer, nothing dies."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from tests.generator.tool import GeneratedTool, tool

COUNT = 500
AT_ONCE = 8
TOOLS = [tool(seed) for seed in range(COUNT)]
ENDS = {
    "SCRIPT_ERROR",
    "RETURN_TYPE_MISMATCH",
    "SCRIPT_PERMISSION",
    "TIME_BUDGET",
    "CPU_BUDGET",
    "MEMORY_BUDGET",
    "OUTPUT_BUDGET",
}
"""How a valid call of a valid tool may fail: by what its script does."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    file = tmp_path_factory.mktemp("tools") / "tools.json"
    file.write_text(json.dumps({"tools": [each.table for each in TOOLS]}))
    with LokiServer(tools=file) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def parts(client: LokiClient) -> dict[str, int]:
    """Name -> pid of every part of Loki that is to outlive any script."""
    return {
        part.name: part.pid for part in client.get_children_status() if part.supervisor == "loki"
    }


def outcome(client: LokiClient, called: GeneratedTool) -> str:
    """The reason that the call failed for, or ""."""
    try:
        client.execute(called.name, called.arguments)
    except LokiClientError as error:
        return error.reason
    return ""


def test_s_2_2_1_the_valid_ones_are_offered_and_no_other(client: LokiClient) -> None:
    offered = {script.name for script in client.list_scripts("generated_*")}
    assert offered == {each.name for each in TOOLS if not each.broken}
    assert len(offered) > COUNT / 2


def test_s_1_2_6_no_tool_brings_the_service_down(client: LokiClient) -> None:
    before = parts(client)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda each: outcome(client, each), TOOLS))
    odd = {}
    for called, reason in zip(TOOLS, outcomes, strict=True):
        if called.broken:
            expected = {"SCRIPT_NOT_FOUND"}
        elif called.misfit:
            expected = {"ARGUMENT_INVALID"}
        else:
            expected = {"", *ENDS}
        if reason not in expected:
            odd[called.name] = (reason, expected)
    assert odd == {}
    assert {"", "SCRIPT_ERROR", "RETURN_TYPE_MISMATCH", "SCRIPT_PERMISSION"} <= set(outcomes)
    assert parts(client) == before
