"""Scripts that call scripts, through a real client."""

from collections.abc import Iterator

import pytest

from loki.client import LokiClient, LokiClientError, Result, Value
from loki.core.run.call import MAX_CALLS, MAX_DEPTH
from loki.testing import LokiServer

TOOLS = '''
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "add"
parameters = [
  { name = "a", type = "integer" },
  { name = "b", type = "integer", required = false, default = 10 },
]
return_type = "integer"
script = { inline = "print('adding') return params.a + params.b" }

[[tools]]
name = "broken"
return_type = "void"
script = { inline = """
local n = nil
return n.x""" }

[[tools]]
name = "keeper"
return_type = "string"
script = { inline = "hel:storage_set('k', 'kept') return hel:storage_get('k')" }
permissions = { storage = true }

[[tools]]
name = "sleeper"
parameters = [{ name = "ms", type = "integer" }]
return_type = "integer"
script = { inline = "loki.sleep(params.ms) return params.ms" }

[[tools]]
name = "short"
return_type = "void"
script = { inline = "loki.sleep(60000)" }
limits = { max_execution_time_ms = 50 }

[[tools]]
name = "loop"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_execution_time_ms = 100 }

[[tools]]
name = "burner"
return_type = "void"
script = { inline = "while true do end" }
limits = { max_cpu_time_ms = 100 }

[[tools]]
name = "sipper"
return_type = "void"
script = { inline = "while true do for i = 1, 200000 do end loki.sleep(0) end" }
limits = { max_cpu_time_ms = 50 }

[[tools]]
name = "hog"
parameters = [{ name = "kb", type = "integer" }]
return_type = "integer"
script = { inline = "local s = ('x'):rep(params.kb * 1024) loki.sleep(30) return #s" }

[[tools]]
name = "writer"
return_type = "void"
script = { inline = "print(('x'):rep(700))" }

[[tools]]
name = "told"
return_type = "object"
script = { inline = "return loki.budget()" }
limits = { max_cpu_time_ms = 400, max_output_kb = 1 }

[[tools]]
name = "asker"
return_type = "object"
script = { inline = "return loki.call('told')" }
limits = { max_cpu_time_ms = 300, max_output_kb = 2, max_memory_mb = 3 }
permissions = { tools = ["to*"] }

[[tools]]
name = "plotter"
return_type = "integer"
script = { inline = "return loki.call('one')" }

[[tools]]
name = "herald"
return_type = "void"
script = { inline = "for i = 1, 3 do loki.call('writer') end" }
limits = { max_output_kb = 2 }
permissions = { tools = ["writer"] }

[[tools]]
name = "again"
parameters = [{ name = "n", type = "integer", required = false, default = 1 }]
return_type = "integer"
script = { inline = "return loki.call('again', {n = params.n + 1})" }
permissions = { tools = ["again"] }

[[tools]]
name = "down"
parameters = [{ name = "n", type = "integer" }]
return_type = "integer"
script = { inline = """
if params.n == 0 then return 0 end
return 1 + loki.call('down', {n = params.n - 1})""" }
permissions = { tools = ["down"] }
'''

CONFIG = """
[security]
adhoc_permissions = { tools = ["*"] }
[resource_limits]
max_memory_mb = 4
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, config=CONFIG) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    """A client; whatever its test did, the next call works."""
    with server.client() as connected:
        yield connected
        assert connected.execute("one").value == 1


def caught(client: LokiClient, call: str) -> dict[str, object]:
    """The error table that a script gets which catches it."""
    source = f"local ok, e = pcall(function() {call} end) assert(not ok) return e"
    value = client.execute(source=source).value
    assert isinstance(value, dict), value
    return value


def uncaught(client: LokiClient, source: str) -> LokiClientError:
    with pytest.raises(LokiClientError) as raised:
        client.execute(source=source)
    return raised.value


def test_a_called_tool_gets_typed_arguments_and_gives_its_result(client: LokiClient) -> None:
    execution = client.execute(source="return loki.call('add', {a = 2}) + loki.call('one')")
    assert (execution.value, execution.output) == (13, "adding\n")
    assert execution.usage.api_calls == 2


def test_it_has_its_own_permissions_and_not_its_callers(client: LokiClient) -> None:
    assert client.execute(source="return loki.call('keeper')").value == "kept"
    error = uncaught(client, "loki.call('keeper') return hel:storage_get('k')")
    assert error.reason == "SCRIPT_PERMISSION"


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        ("loki.call('ad')", "SCRIPT_NOT_FOUND", "there is no script 'ad'; did you mean 'add'?"),
        ("loki.call('add')", "ARGUMENT_INVALID", "a"),
        ("loki.call('add', {a = 1, c = 2})", "ARGUMENT_INVALID", "c"),
        ("loki.call('add', {a = print})", "ARGUMENT_INVALID", "function"),
    ],
)
def test_a_wrong_call_is_an_error_of_the_caller(
    client: LokiClient, call: str, code: str, text: str
) -> None:
    error = caught(client, call)
    assert error["code"] == code
    assert text in str(error["message"])


def test_a_failure_tells_the_caller_which_tool_and_where(client: LokiClient) -> None:
    error = caught(client, "loki.call('broken')")
    assert (error["code"], error["tool"], error["line"]) == ("SCRIPT_ERROR", "broken", 2)
    assert "attempt to index a nil value" in str(error["message"])
    ended = uncaught(client, "loki.call('broken')")
    assert (ended.reason, ended.details["tool"]) == ("SCRIPT_ERROR", "broken")


def test_what_nobody_allowed_is_refused_with_the_line_that_allows_it(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as raised:
        client.execute("plotter")
    error = raised.value
    assert error.reason == "SCRIPT_PERMISSION"
    assert "'plotter' may not call 'one'; to allow it, put this under [tools.perm" in error.message
    assert 'tools = ["one"]' in error.message


def test_calls_go_only_so_deep(client: LokiClient) -> None:
    source = f"return loki.call('down', {{n = {MAX_DEPTH - 1}}})"
    assert client.execute(source=source).value == MAX_DEPTH - 1
    error = caught(client, "loki.call('again')")
    assert f"loki.call goes at most {MAX_DEPTH} deep: adhoc > again > again" in str(
        error["message"]
    )


def test_a_called_tool_that_is_late_while_it_waits_is_the_callers_to_handle(
    client: LokiClient,
) -> None:
    error = caught(client, "loki.call('short')")
    assert (error["code"], error["tool"]) == ("TIME_BUDGET", "short")
    assert "'short' used up its 50 ms of wall time" in str(error["message"])
    ended = uncaught(client, "loki.call('short')")
    assert (ended.reason, ended.details["code"]) == ("SCRIPT_ERROR", "TIME_BUDGET")


@pytest.mark.parametrize(
    ("tool", "reason", "text"),
    [
        ("loop", "TIME_BUDGET", "'loop' used up its 100 ms of wall time"),
        ("burner", "CPU_BUDGET", "'burner' used up its 100 ms of CPU time"),
    ],
)
def test_one_that_computes_for_ever_ends_the_run_and_is_named(
    client: LokiClient, tool: str, reason: str, text: str
) -> None:
    error = uncaught(client, f"pcall(loki.call, '{tool}')")
    assert (error.reason, error.details["tool"]) == (reason, tool)
    assert text in error.message
    assert error.usage is not None
    assert 0 <= error.usage.overshoot_ms < error.usage.wall_ms - 90


def test_cpu_time_of_many_short_steps_is_counted(client: LokiClient) -> None:
    """Between two steps its caller is told; in the middle of one, the watchdog ends the run."""
    try:
        error = caught(client, "loki.call('sipper')")
        told = error["code"], error["tool"]
    except LokiClientError as ended:
        told = ended.reason, ended.details["tool"]
    assert told == ("CPU_BUDGET", "sipper")


def test_no_called_tool_outlives_the_callers_time(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as raised:
        client.execute(source="loki.call('sleeper', {ms = 60000})", timeout_s=0.2)
    assert raised.value.code_name == "DEADLINE_EXCEEDED"


def test_cancelling_the_run_ends_what_it_called(client: LokiClient) -> None:
    source = "loki.emit('on') loki.call('sleeper', {ms = 60000})"
    with client.stream(source=source) as stream:
        next(stream)
        client.cancel(stream.execution_id)
        with pytest.raises(LokiClientError) as raised:
            next(stream)
    assert raised.value.reason == "CANCELLED"


def test_tools_that_call_each_other_share_the_memory_of_the_run(client: LokiClient) -> None:
    four = "local function hog() return loki.call('hog', {kb = 1500}) end\n"
    assert client.execute(source=four + "return hog() + hog() + hog()").value == 3 * 1500 * 1024
    error = caught(client, four + "loki.all{hog, hog, hog}")
    assert (error["code"], error["tool"]) == ("MEMORY_BUDGET", "hog")
    assert "need more memory than the first of them may use" in str(error["message"])


def test_what_a_called_tool_prints_counts_for_the_run(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as raised:
        client.execute("herald")
    error = raised.value
    assert error.reason == "OUTPUT_BUDGET"
    assert "'herald' and what it called printed more than 2 KiB" in error.message
    assert len(error.output) == 2048


def test_it_is_told_the_tightest_budgets(client: LokiClient) -> None:
    told = client.execute("asker").value
    assert isinstance(told, dict)
    allowed = told["allowed"]
    assert isinstance(allowed, dict)
    assert (allowed["cpu_ms"], allowed["output_bytes"]) == (300.0, 1024)
    assert allowed["memory_bytes"] == 3 * 1024 * 1024
    assert 0 < allowed["wall_ms"] < 5000
    assert all(0 < told[name] <= allowed[name] for name in allowed)


def test_functions_of_all_wait_side_by_side(client: LokiClient) -> None:
    source = """
        local function nap(name, ms)
          return function()
            loki.emit(name .. ' began')
            loki.call('sleeper', {ms = ms})
            loki.sleep(ms)
            loki.emit(name .. ' ended')
            return name
          end
        end
        return loki.all{nap('long', 200), nap('short', 10)}"""
    with client.stream(source=source) as stream:
        events = list(stream)
    assert [event.value for event in events if isinstance(event, Value)] == [
        "long began",
        "short began",
        "short ended",
        "long ended",
    ]
    assert isinstance(events[-1], Result)
    assert events[-1].execution.value == ["long", "short"]


def test_only_so_many_tools_are_under_way_in_one_run(client: LokiClient) -> None:
    source = f"""
        local naps = {{}}
        for i = 1, {MAX_CALLS + 1} do
          naps[i] = function() return pcall(loki.call, 'sleeper', {{ms = 100}}) end
        end
        return loki.all(naps)"""
    assert client.execute(source=source).value == [True] * MAX_CALLS + [False]


def test_nothing_stays_behind_a_run_that_ends_with_calls_under_way(client: LokiClient) -> None:
    source = """loki.all{
        function() loki.call('sleeper', {ms = 60000}) end,
        function() while true do end end}"""
    with pytest.raises(LokiClientError) as raised:
        client.execute(source=source, timeout_s=0.2)
    assert raised.value.code_name == "DEADLINE_EXCEEDED"
    assert client.execute(source="return loki.call('keeper')").value == "kept"
