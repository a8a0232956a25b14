"""What clients and scripts do wrong: each gets its error, and the next call works."""

import time
from collections.abc import Iterator

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

TOOLS = """
[[tools]]
name = "echo"
parameters = [{ name = "n", type = "integer", required = true, maximum = 100 }]
return_type = "integer"
script = { inline = "return params.n" }

[[tools]]
name = "liar"
return_type = "number"
script = { inline = "return 'a word'" }

[[tools]]
name = "raiser"
return_type = "void"
script = { inline = "local t = nil\\nreturn t.field" }

[[tools]]
name = "endless"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_execution_time_ms = 150 }

[[tools]]
name = "stubborn"
return_type = "void"
script = { inline = "while true do pcall(error) end" }
limits = { max_execution_time_ms = 150 }

[[tools]]
name = "backtracker"
return_type = "void"
script = { inline = "local s = ('x'):rep(200000) while true do s:find('.-b') end" }
limits = { max_execution_time_ms = 150 }

[[tools]]
name = "sleeper"
return_type = "void"
script = { inline = "loki.sleep(60000)" }
limits = { max_execution_time_ms = 150 }

[[tools]]
name = "minute"
return_type = "void"
script = { inline = "while true do print('x') loki.sleep(10) end" }
limits = { max_execution_time_ms = 60000, max_output_kb = 1000 }

[[tools]]
name = "nested"
return_type = "void"
script = { inline = "local function f() pcall(f) f() end f()" }
limits = { max_execution_time_ms = 300, max_memory_mb = 200 }

[[tools]]
name = "hoarder"
return_type = "void"
script = { inline = "local t = {} for i = 1, 1e9 do t[i] = {i} end" }
limits = { max_memory_mb = 4, max_execution_time_ms = 20000 }

[[tools]]
name = "chatterbox"
return_type = "void"
script = { inline = "while true do print(('x'):rep(1000)) end" }
limits = { max_output_kb = 8, max_execution_time_ms = 20000 }

[[tools]]
name = "burglar"
return_type = "string"
script = { inline = "return hel:fs_read('secret.txt')" }
permissions = {}
"""
PATIENCE_S = 30.0  # Half of what the longest script may take.


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    """A client; whatever its test did, the next call works."""
    with server.client() as connected:
        yield connected
        assert connected.execute("echo", {"n": 7}).value == 7


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "reason", "words"),
    [
        ("ecko", {}, "NOT_FOUND", "SCRIPT_NOT_FOUND", "did you mean 'echo'"),
        ("echo", {}, "INVALID_ARGUMENT", "ARGUMENT_INVALID", "n"),
        ("echo", {"n": "five"}, "INVALID_ARGUMENT", "ARGUMENT_INVALID", "expected an integer"),
        ("echo", {"n": 101}, "INVALID_ARGUMENT", "ARGUMENT_INVALID", "100"),
        ("echo", {"n": 1, "m": 2}, "INVALID_ARGUMENT", "ARGUMENT_INVALID", "m"),
        ("liar", {}, "UNKNOWN", "RETURN_TYPE_MISMATCH", "number"),
        ("raiser", {}, "UNKNOWN", "SCRIPT_ERROR", "raiser:2: attempt to index a nil value"),
        ("endless", {}, "DEADLINE_EXCEEDED", "TIME_BUDGET", "150 ms"),
        ("stubborn", {}, "DEADLINE_EXCEEDED", "TIME_BUDGET", "150 ms"),
        ("backtracker", {}, "DEADLINE_EXCEEDED", "TIME_BUDGET", "150 ms"),
        ("sleeper", {}, "DEADLINE_EXCEEDED", "TIME_BUDGET", "150 ms"),
        ("nested", {}, "DEADLINE_EXCEEDED", "TIME_BUDGET", "300 ms"),
        ("hoarder", {}, "RESOURCE_EXHAUSTED", "MEMORY_BUDGET", "max_memory_mb"),
        ("chatterbox", {}, "RESOURCE_EXHAUSTED", "OUTPUT_BUDGET", "max_output_kb"),
        ("burglar", {}, "PERMISSION_DENIED", "SCRIPT_PERMISSION", 'files = "r'),
    ],
)
def test_s_10_1_1_each_mistake_has_its_error(
    client: LokiClient,
    tool: str,
    arguments: dict[str, str | int],
    code: str,
    reason: str,
    words: str,
) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute(tool, arguments)
    assert (caught.value.code_name, caught.value.reason) == (code, reason)
    assert words in caught.value.message


def test_a_script_error_names_file_and_line_and_no_path_of_the_device(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute("raiser")
    assert "raiser:2" in caught.value.message
    assert "/" not in caught.value.message + caught.value.traceback


def test_s_4_2_5_the_overshoot_is_reported(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute("endless")
    usage = caught.value.usage
    assert usage is not None
    assert usage.overshoot_ms > 0
    assert usage.budgets["max_execution_time_ms"] == 150


def test_a_request_of_5_mib_is_refused(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute("echo", {"n": "x" * (5 * 1024 * 1024)})
    assert caught.value.code_name == "RESOURCE_EXHAUSTED"


def test_the_clients_deadline_ends_the_run(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute("minute", timeout_s=0.05)
    assert caught.value.code_name == "DEADLINE_EXCEEDED"


def test_adhoc_source_gets_no_permission_by_itself(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute(source="return fenrir:gpio_read(4)")
    assert caught.value.reason == "SCRIPT_PERMISSION"
    assert "gpio = [" in caught.value.message
    assert "security.adhoc_permissions" in caught.value.message


def test_adhoc_source_that_does_not_compile_names_its_line(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute(source="return 1\nend")
    assert (caught.value.code_name, caught.value.reason) == ("INVALID_ARGUMENT", "SCRIPT_INVALID")
    assert ":2:" in caught.value.message


def test_s_3_1_8_a_cancelled_stream_stops_its_script(client: LokiClient) -> None:
    with client.stream("minute") as events:
        execution = events.execution_id
        next(events)
    end_s = time.monotonic() + PATIENCE_S
    while (found := client.get_execution(execution)).state != "failed":
        assert time.monotonic() < end_s, found
    assert found.cause == "cancelled"
