"""Budgets through a real client: whatever a script tries, each ends it and is named."""

import time
from collections.abc import Iterator

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

TOOLS = '''
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }
limits = { max_cpu_time_ms = 2000 }

[[tools]]
name = "burner"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_cpu_time_ms = 100, max_execution_time_ms = 60000 }

[[tools]]
name = "denier"
return_type = "void"
script = { inline = "while true do pcall(function() while true do end end) end" }
limits = { max_cpu_time_ms = 100, max_execution_time_ms = 60000 }

[[tools]]
name = "matcher"
return_type = "void"
script = { inline = "local s = ('x'):rep(200000) while true do s:find('.-b') end" }
limits = { max_cpu_time_ms = 100, max_execution_time_ms = 60000 }

[[tools]]
name = "sipper"
return_type = "void"
script = { inline = "while true do for i = 1, 20000 do end loki.sleep(0) end" }
limits = { max_cpu_time_ms = 100, max_execution_time_ms = 60000 }

[[tools]]
name = "napper"
return_type = "string"
script = { inline = "loki.sleep(300) return 'rested'" }
limits = { max_cpu_time_ms = 250 }

[[tools]]
name = "late"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_cpu_time_ms = 5000, max_execution_time_ms = 100 }

[[tools]]
name = "frugal"
return_type = "object"
script = { inline = "return loki.budget()" }
limits = { max_cpu_time_ms = 200, max_memory_mb = 2, max_output_kb = 4, max_calls_in_flight = 3 }

[[tools]]
name = "hoarder"
return_type = "integer"
script = { inline = """
local t = {}
for i = 1, 18 do t[i] = ('x'):rep(100000) end
loki.sleep(0)
loki.sleep(0)
return #t""" }
limits = { max_memory_mb = 2 }

[[tools]]
name = "writer"
return_type = "void"
script = { inline = "print(('x'):rep(900)) loki.sleep(0) print('more')" }
limits = { max_output_kb = 1 }

[[tools]]
name = "dawdler"
return_type = "integer"
script = { inline = "loki.sleep(260) return 1" }
limits = { max_execution_time_ms = 300 }

[[tools]]
name = "slow_dawdler"
return_type = "integer"
script = { inline = "loki.sleep(8600) return 1" }
limits = { max_execution_time_ms = 10000 }

[[tools]]
name = "thinker"
return_type = "integer"
script = { inline = "local stop = os.clock() + 0.26 while os.clock() < stop do end return 1" }
limits = { max_execution_time_ms = 60000, max_cpu_time_ms = 300 }

[[tools]]
name = "eternal"
return_type = "void"
script = { inline = "loki.sleep(1e300)" }
limits = { max_execution_time_ms = 100 }
'''
PATIENCE_S = 20.0


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
    assert error.usage.cpu_ms >= 100  # Where an alarm ended it, no more is known.
    assert error.usage.overshoot_ms == pytest.approx(error.usage.cpu_ms - 100)
    assert "max_cpu_time_ms" in error.usage.warnings


def test_waiting_costs_no_cpu_time(client: LokiClient) -> None:
    execution = client.execute("napper")
    assert execution.value == "rested"
    assert execution.usage.wall_ms > 300
    assert execution.usage.cpu_ms < 250


def test_wall_time_that_is_shorter_comes_first(client: LokiClient) -> None:
    assert ended(client, "late").reason == "TIME_BUDGET"


def test_a_sleep_of_ages_ends_with_the_time_budget(client: LokiClient) -> None:
    error = ended(client, "eternal")
    assert error.reason == "TIME_BUDGET"
    assert error.usage is not None
    assert error.usage.warnings == ("max_execution_time_ms",)


@pytest.mark.parametrize(
    ("tool", "limit"),
    [
        ("hoarder", "max_memory_mb"),
        ("writer", "max_output_kb"),
        ("dawdler", "max_execution_time_ms"),
        ("thinker", "max_cpu_time_ms"),
    ],
)
def test_s_5_3_2_one_warning_of_a_limit_and_run(
    server: LokiServer, client: LokiClient, tool: str, limit: str
) -> None:
    try:
        execution = client.execute(tool)
    except LokiClientError as error:
        if (tool, error.reason) != ("dawdler", "TIME_BUDGET"):
            raise
        # It lost 40 ms to a busy machine.
        execution = client.execute(tool := "slow_dawdler")
    warnings = execution.usage.warnings
    assert limit in warnings
    line = f"run={execution.id} script={tool} used"
    end_s = time.monotonic() + PATIENCE_S
    while server.log.count(line) < len(warnings):  # The log may come after the result.
        assert time.monotonic() < end_s, server.log
    client.execute("one")
    assert server.log.count(line) == len(warnings)
    assert f"of {limit} = {execution.usage.budgets[limit]}" in server.log


def test_a_frugal_run_is_not_warned(client: LokiClient) -> None:
    assert client.execute("one").usage.warnings == ()


def test_a_script_knows_its_budgets(client: LokiClient) -> None:
    left = client.execute("frugal").value
    assert isinstance(left, dict)
    allowed = left.pop("allowed")
    assert allowed == {
        "wall_ms": 5000.0,
        "cpu_ms": 200.0,
        "memory_bytes": 2 * 1024 * 1024,
        "output_bytes": 4096,
        "calls_in_flight": 3,
    }
    assert left.keys() == allowed.keys()
    assert all(0 < left[name] <= allowed[name] for name in left)
    assert (left["output_bytes"], left["calls_in_flight"]) == (4096, 3)
