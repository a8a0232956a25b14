"""Ten kinds of scripts that never end: each is ended for the right cause, and how late."""

import time
from statistics import median
from typing import cast

import grpc

from benchmarks.result import Figure, percentile
from loki.testing import LokiServer
from loki.v1 import execution_pb2, service_pb2, service_pb2_grpc

RUNS = 30
BUDGET_MS = 100
WALL = f"max_execution_time_ms = {BUDGET_MS}"
CPU = f"max_cpu_time_ms = {BUDGET_MS}"
MEMORY = "max_memory_mb = 4"
OUTPUT = "max_output_kb = 64"

KINDS: tuple[tuple[str, str, str, str], ...] = (
    ("loop", WALL, "time", "while true do end"),
    ("loop, CPU", CPU, "cpu", "while true do end"),
    ("pcall loop", WALL, "time", "while true do pcall(error) end"),
    (
        "coroutines",
        WALL,
        "time",
        "local function f() while true do coroutine.yield() end end "
        "while true do local g = coroutine.wrap(f) for i = 1, 100 do g() end end",
    ),
    ("pattern", WALL, "time", "local s = ('x'):rep(200000) while true do s:find('.-b') end"),
    ("table.move", WALL, "time", "while true do table.move({}, 1, 1e8, 2) end"),
    (
        "sort",
        WALL,
        "time",
        "local t = {} for i = 1, 2e5 do t[i] = (i * 7919) % 104729 end "
        "while true do table.sort(t, function(a, b) return a > b end) "
        "table.sort(t, function(a, b) return a < b end) end",
    ),
    ("string.rep", WALL, "time", "while true do local s = (''):rep(1 << 31) end"),
    ("memory", MEMORY, "memory", "local t = {} for i = 1, 1e9 do t[i] = {i} end"),
    ("output", OUTPUT, "output", "while true do print(('x'):rep(1000)) end"),
    ("API flood", WALL, "time", "while true do fenrir:gpio_read(4) end"),
)
TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }
""" + "".join(
    f"""
[[tools]]
name = "runaway_{number}"
return_type = "void"
script = {{ inline = "{source}" }}
limits = {{ {limit} }}
permissions = {{ gpio = [4] }}
"""
    for number, (_, limit, _, source) in enumerate(KINDS)
)


def run() -> list[Figure]:
    with LokiServer(tools=TOOLS) as loki, grpc.insecure_channel(loki.address) as channel:
        stub = service_pb2_grpc.LokiServiceStub(channel)
        call(stub, "one")
        return [figure(stub, number) for number in range(len(KINDS))]


def call(stub: service_pb2_grpc.LokiServiceStub, name: str) -> dict[str, str]:
    """ErrorInfo's facts of the error that ends it; empty for a good end."""
    from google.rpc import error_details_pb2  # type: ignore[import-untyped]
    from grpc_status import rpc_status

    request = service_pb2.ExecuteScriptRequest(input=execution_pb2.ScriptInput(name=name))
    try:
        stub.ExecuteScript(request)
    except grpc.RpcError as error:
        info = error_details_pb2.ErrorInfo()
        rpc_status.from_call(cast("grpc.Call", error)).details[0].Unpack(info)
        return dict(info.metadata)
    return {}


def figure(stub: service_pb2_grpc.LokiServiceStub, number: int) -> Figure:
    """How late the client has its error, past the budget of time or as the server measured it."""
    kind, limit, cause, _ = KINDS[number]
    late_ms, wrong = [], 0
    for _ in range(RUNS):
        begin = time.perf_counter()
        facts = call(stub, f"runaway_{number}")
        took_ms = (time.perf_counter() - begin) * 1000
        wrong += facts.get("cause") != cause
        late_ms.append(took_ms - BUDGET_MS if limit == WALL else float(facts["overshoot_ms"]))
        call(stub, "one")
    p99 = percentile(late_ms, 99)
    note = f"p50 {median(late_ms):.2f} ms, wrong causes {wrong} of {RUNS}"
    return Figure(f"{kind}: overshoot p99", p99, "ms", "at most 10", p99 <= 10 and not wrong, note)
