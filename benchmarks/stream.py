"""Streams: messages a second of one script that emits as fast as it can, beside a bare gRPC stream.

All sides take turns in one run; one client reads one stream at a time.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from statistics import median
from typing import Any

import grpc

from benchmarks.call import echo_server
from benchmarks.result import Figure
from loki.testing import LokiServer
from loki.v1 import execution_pb2, service_pb2, service_pb2_grpc

MESSAGES = 5_000
TURNS = 3
TOOLS = """
[[tools]]
name = "many"
parameters = [{ name = "count", type = "integer" }]
return_type = "void"
script = { inline = "for i = 1, params.count do loki.emit(i) end" }
limits = { max_execution_time_ms = 60000 }
"""
LIKE_OURS = MESSAGES.to_bytes(4, "big") + bytes(40)
"""As many bytes as a message of ours has."""

Stream = Callable[[], AsyncIterable[object]]


def run() -> list[Figure]:
    with echo_server() as echo, LokiServer(tools=TOOLS) as loki:
        return asyncio.run(measure(loki.address, echo))


async def measure(loki_address: str, echo_address: str) -> list[Figure]:
    async with (
        grpc.aio.insecure_channel(loki_address) as loki_channel,
        grpc.aio.insecure_channel(echo_address) as echo_channel,
    ):
        sides = streams(loki_channel, echo_channel)
        turns = [[await messages_per_s(side) for side in sides] for _ in range(TURNS + 1)]
    typed, plain, echo = (median(side) for side in zip(*turns[1:], strict=True))
    share = median(typed / echo for typed, _, echo in turns[1:]) * 100
    note = f"{typed:.0f}/s against {echo:.0f}; StreamScriptExecution {plain:.0f}"
    return [Figure("typed stream, messages a second / echo", share, "%", note=note)]


def streams(loki: Any, echo: Any) -> tuple[Stream, Stream, Stream]:
    """CallStream, StreamScriptExecution, echo."""
    typed = loki.unary_stream("/loki.tools.v1.ManyService/CallStream")
    stub = service_pb2_grpc.LokiServiceStub(loki)
    given = execution_pb2.ScriptInput(name="many")
    given.arguments["count"].int_value = MESSAGES
    request = service_pb2.StreamScriptExecutionRequest(input=given)
    raw = echo.unary_stream("/echo/Repeat")
    count = b"\x08" + varint(MESSAGES)  # Its field has the number 1: the first of its tool.
    return (
        lambda: typed(count),
        lambda: stub.StreamScriptExecution(request),
        lambda: raw(LIKE_OURS),
    )


def varint(number: int) -> bytes:
    """Source: protobuf's encoding, base 128 varints."""
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


async def messages_per_s(stream: Stream) -> float:
    begin = time.perf_counter()
    count = 0
    async for _ in stream():
        count += 1
    assert count >= MESSAGES, count
    return count / (time.perf_counter() - begin)
