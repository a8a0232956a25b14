"""Ten thousand tools beside one: starting, calling, registering, listing, and editing their file.

Both sides of each figure take turns in one run; the start of a Loki with one tool is what all that
is not the library costs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import TypeAlias

import grpc

from benchmarks.result import Figure
from loki.client import LokiClient, ScriptChanged
from loki.testing import LokiServer
from loki.v1 import execution_pb2, script_pb2, service_pb2, service_pb2_grpc

TOOLS = 10_000
STARTS = 3
REGISTRATIONS = 60
LISTS = 60
CALLS = 300
ROUNDS = 3
ENTRY = """
[[tools]]
name = "tool_{0}"
description = "Tool number {0}"
return_type = "number"
parameters = [{{ name = "a", type = "number" }}, {{ name = "b", type = "integer", default = {0} }}]
script = {{ inline = "return params.a + params.b" }}
"""
Act: TypeAlias = Callable[[service_pb2_grpc.LokiServiceStub, int], Awaitable[object]]


def tools(count: int) -> str:
    return "".join(map(ENTRY.format, range(count)))


def run() -> list[Figure]:
    starts = [(start_s(1), start_s(TOOLS)) for _ in range(STARTS)]
    one_s, all_s = (median(side) for side in zip(*starts, strict=True))
    with LokiServer(tools=tools(1)) as few, LokiServer(tools=tools(TOOLS)) as many:
        figures = asyncio.run(compare(few, many))
        edit_s = [edited_s(many, number) for number in range(ROUNDS)]
    loading_s = all_s - one_s
    return [
        Figure(f"start with {TOOLS:,} tools, more than with one", loading_s, "s", "below 3",
               loading_s < 3, f"{all_s:.2f} s to the first answers, {one_s:.2f} with one"),
        *figures,
        Figure(f"edit of one among {TOOLS:,} to its event", median(edit_s), "s"),
    ]  # fmt: skip


def start_s(count: int) -> float:
    """From the start to an answer of the last tool, called both ways."""
    server = LokiServer(tools=tools(count))
    began_s = time.perf_counter()
    with server, server.client() as client, grpc.insecure_channel(server.address) as channel:
        client.execute(f"tool_{count - 1}", {"a": 1.0})
        typed = channel.unary_unary(f"/loki.tools.v1.Tool{count - 1}Service/Call", None, None)
        typed(b"\x09" + bytes(8))
        return time.perf_counter() - began_s


def edited_s(server: LokiServer, number: int) -> float:
    file = Path(server.folder / "tools.toml")
    text = file.read_text()
    with LokiClient(server.address) as client, client.watch_events(["script"]) as watch:
        watch.start()
        began_s = time.perf_counter()
        file.write_text(text.replace(f"= {number} }}", f"= {number + TOOLS} }}", 1))
        next(event for event in watch if isinstance(event, ScriptChanged))
        return time.perf_counter() - began_s


async def compare(few: LokiServer, many: LokiServer) -> list[Figure]:
    acts: dict[str, tuple[Act, int]] = {
        "call": (call, CALLS),
        "registration": (register, REGISTRATIONS),
        "page of 100 scripts": (page, LISTS),
    }
    figures = []
    async with (
        grpc.aio.insecure_channel(few.address) as to_few,
        grpc.aio.insecure_channel(many.address) as to_many,
    ):
        stubs = [service_pb2_grpc.LokiServiceStub(channel) for channel in (to_few, to_many)]
        for name, (act, times) in acts.items():
            rounds = [
                [await p50_s(act, stub, times, first=turn * times) for stub in stubs]
                for turn in range(ROUNDS)
            ]
            one_s, all_s = (median(side) for side in zip(*rounds, strict=True))
            figures.append(_figure(name, one_s, all_s))
    return figures


def _figure(name: str, one_s: float, all_s: float) -> Figure:
    note = f"{all_s * 1e3:.2f} ms against {one_s * 1e3:.2f}"
    name = f"{name} p50 among {TOOLS:,} / among few"
    if "page" in name:
        return Figure(name, all_s / one_s, "x", note=f"{note} for the few there are")
    return Figure(name, all_s / one_s, "x", "at most 1.3", all_s / one_s <= 1.3, note)


async def p50_s(act: Act, stub: service_pb2_grpc.LokiServiceStub, times: int, first: int) -> float:
    taken_s = []
    for number in range(first, first + times):
        began_s = time.perf_counter()
        await act(stub, number)
        taken_s.append(time.perf_counter() - began_s)
    return median(taken_s)


async def call(stub: service_pb2_grpc.LokiServiceStub, _number: int) -> object:
    given = execution_pb2.ScriptInput(name="tool_0")
    given.arguments["a"].double_value = 1.0
    return await stub.ExecuteScript(service_pb2.ExecuteScriptRequest(input=given))


async def register(stub: service_pb2_grpc.LokiServiceStub, number: int) -> object:
    definition = script_pb2.ScriptDefinition(
        name=f"registered_{number}",
        source=f"return {number}",
        return_type=script_pb2.VALUE_TYPE_INTEGER,
    )
    return await stub.RegisterScript(service_pb2.RegisterScriptRequest(definition=definition))


async def page(stub: service_pb2_grpc.LokiServiceStub, number: int) -> object:
    token = f"tool_{number * 31 % TOOLS}" if number % 2 else ""
    return await stub.ListScripts(service_pb2.ListScriptsRequest(page_size=100, page_token=token))
