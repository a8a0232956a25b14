"""Budgets through a real client: whatever a script tries, each ends it and is named."""

from collections.abc import Iterator

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }
limits = { max_cpu_time_ms = 100 }

[[tools]]
name = "burner"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_cpu_time_ms = 100 }

[[tools]]
name = "denier"
return_type = "void"
script = { inline = "while true do pcall(function() while true do end end) end" }
limits = { max_cpu_time_ms = 100 }

[[tools]]
name = "matcher"
return_type = "void"
script = { inline = "local s = ('x'):rep(200000) while true do s:find('.-b') end" }
limits = { max_cpu_time_ms = 100 }

[[tools]]
name = "sipper"
return_type = "void"
script = { inline = "while true do for i = 1, 20000 do end loki.sleep(0) end" }
limits = { max_cpu_time_ms = 100 }

[[tools]]
name = "napper"
return_type = "string"
script = { inline = "loki.sleep(300) return 'rested'" }
limits = { max_cpu_time_ms = 100 }

[[tools]]
name = "late"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_cpu_time_ms = 5000, max_execution_time_ms = 100 }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    """A client; whatever its test did, the next call works."""
    with server.client() as connected:
        yield connected
        assert connected.execute("one").value == 1


def ended(client: LokiClient, tool: str) -> LokiClientError:
    with pytest.raises(LokiClientError) as caught:
        client.execute(tool)
    return caught.value


@pytest.mark.parametrize("tool", ["burner", "denier", "matcher", "sipper"])
def test_s_5_3_1_cpu_time_ends_a_run_with_its_own_cause(client: LokiClient, tool: str) -> None:
    error = ended(client, tool)
    assert (error.code_name, error.reason) == ("RESOURCE_EXHAUSTED", "CPU_BUDGET")
    assert f"'{tool}' used up its 100 ms of CPU time" in error.message
    assert error.script_error is not None
    assert error.script_error.cause == "cpu"
    assert error.usage is not None
    assert error.usage.budgets["max_cpu_time_ms"] == 100
    assert error.usage.cpu_ms > 100
    assert error.usage.overshoot_ms == pytest.approx(error.usage.cpu_ms - 100)


def test_waiting_costs_no_cpu_time(client: LokiClient) -> None:
    execution = client.execute("napper")
    assert execution.value == "rested"
    assert execution.usage.wall_ms > 300
    assert execution.usage.cpu_ms < 100


def test_wall_time_that_is_shorter_comes_first(client: LokiClient) -> None:
    assert ended(client, "late").reason == "TIME_BUDGET"
