"""Scripts that would outlive their time: no handler, protected call or coroutine hears of the stop.

Each would emit a value if any code of its own ran once its budget is used up.
"""

from collections.abc import Iterator

import pytest

from loki.client import Event, LokiClientError, Value
from loki.testing import LokiServer

HEADER = """--- loki:
--- return_type = "void"
--- limits.max_cpu_time_ms = {cpu_ms}
--- limits.max_execution_time_ms = {wall_ms}
--- limits.max_memory_mb = 200
"""
GUARD = "local guard <close> = setmetatable({}, {__close = function() loki.emit('escaped') end})\n"
LOOP = "while true do end"
SCRIPTS = {
    "close": f"{GUARD}{LOOP}",
    "loop in close": f"""{GUARD}
local held <close> = setmetatable({{}}, {{__close = function() {LOOP} end}})
error('x')""",
    "loop in close of a coroutine": f"""{GUARD}
local co = coroutine.create(function()
  local held <close> = setmetatable({{}}, {{__close = function() {LOOP} end}})
  coroutine.yield()
end)
coroutine.resume(co)
coroutine.close(co)""",
    "pcall": f"while true do pcall(function() {LOOP} end) loki.emit('escaped') end",
    "nested pcall": f"""
local function deep(n)
  if n == 0 then {LOOP} end
  local ok = pcall(deep, n - 1)
  loki.emit('escaped')
  return deep(n)
end
deep(50)""",
    "xpcall": f"xpcall(function() {LOOP} end, function() loki.emit('escaped') end)",
    "loop in a message handler": f"""{GUARD}
xpcall(error, function() {LOOP} end)
loki.emit('escaped')""",
    "nested coroutines": f"""
local function deep(n)
  {GUARD}
  if n == 0 then {LOOP} end
  local ok = pcall(coroutine.wrap(deep), n - 1)
  loki.emit('escaped')
end
deep(20)""",
    "coroutines in pcall for ever": """
while true do
  pcall(coroutine.wrap(function() pcall(error, coroutine.wrap(function() error() end)) end))
end""",
    "recursion in pcall": "local function f() pcall(f) f() end f()",
    "side by side": f"""
loki.all {{
  function() loki.sleep(1) pcall(function() {LOOP} end) loki.emit('escaped') end,
  function() {GUARD} loki.sleep(60000) loki.emit('escaped') end,
}}""",
}
BUDGETS = {"CPU_BUDGET": (100, 20_000), "TIME_BUDGET": (0, 100)}  # ms of CPU and wall time.
MOST_OVER_MS = 500  # On a busy machine; a few on others.
TRIES = 5  # Somebody else may have had the processor for longer.


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer() as running:
        yield running


@pytest.mark.parametrize("reason", BUDGETS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_s_5_3_2_the_end_of_a_budget_is_the_end(
    server: LokiServer, script: str, reason: str
) -> None:
    cpu_ms, wall_ms = BUDGETS[reason]
    source = HEADER.format(cpu_ms=cpu_ms, wall_ms=wall_ms) + SCRIPTS[script]
    over_ms: list[float] = []
    while not over_ms or over_ms[-1] >= MOST_OVER_MS:
        assert len(over_ms) < TRIES, over_ms
        failed, events = played(server, source)
        assert failed.reason == reason
        assert not [event for event in events if isinstance(event, Value)]
        assert failed.usage is not None
        over_ms.append(failed.usage.overshoot_ms)


def test_s_5_3_2_waiting_in_a_handler_ends_too(server: LokiServer) -> None:
    wait = "pcall(loki.sleep, 60000) loki.emit('escaped')"
    source = (
        HEADER.format(cpu_ms=0, wall_ms=100)
        + GUARD
        + f"local held <close> = setmetatable({{}}, {{__close = function() {wait} end}}) error('x')"
    )
    failed, events = played(server, source)
    assert (failed.reason, events) == ("TIME_BUDGET", [])


def played(server: LokiServer, source: str) -> tuple[LokiClientError, list[Event]]:
    """How it ended, and what it said before."""
    events: list[Event] = []
    with server.client() as client, client.stream(source=source) as stream:
        try:
            for event in stream:
                events.append(event)  # noqa: PERF402  # Those before the end count too.
        except LokiClientError as error:
            return error, events
    raise AssertionError(f"it ended well: {events}")
