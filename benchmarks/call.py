"""Unary calls of a trivial script against a bare gRPC echo: latency, and throughput in flight."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from statistics import median

import grpc

from benchmarks.result import Figure, percentile
from loki.testing import LokiServer
from loki.v1 import execution_pb2, service_pb2, service_pb2_grpc

ROUNDS = 5
SEQUENTIAL = 400
IN_FLIGHT = (1, 8, 32, 128)
CALLS = {1: 400, 8: 1500, 32: 2500, 128: 3000}
TOOLS = """
[[tools]]
name = "one"
description = "The trivial script"
return_type = "integer"
script = { inline = "return 1" }
"""

Call = Callable[[], Awaitable[object]]


@contextlib.contextmanager
def echo_server() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.echo"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


async def latencies(call: Call, count: int) -> list[float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        await call()
        times.append(time.perf_counter() - begin)
    return times


async def throughput(call: Call, in_flight: int, count: int = 0) -> float:
    """Calls a second, of `count` calls or as many as are usual."""
    left = count = count or CALLS[in_flight]

    async def worker() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    begin = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return count / (time.perf_counter() - begin)


async def measure(loki_address: str, echo_address: str) -> list[Figure]:
    async with (
        grpc.aio.insecure_channel(loki_address) as loki_channel,
        grpc.aio.insecure_channel(echo_address) as echo_channel,
    ):
        stub = service_pb2_grpc.LokiServiceStub(loki_channel)
        request = service_pb2.ExecuteScriptRequest(input=execution_pb2.ScriptInput(name="one"))
        payload = request.SerializeToString()
        raw = echo_channel.unary_unary("/echo/Echo", None, None)
        loki: Call = lambda: stub.ExecuteScript(request)  # noqa: E731
        echo: Call = lambda: raw(payload)  # noqa: E731
        await latencies(loki, 200)
        await latencies(echo, 200)
        return await sequential(loki, echo) + await concurrent(loki, echo)


async def sequential(loki: Call, echo: Call) -> list[Figure]:
    ours: list[float] = []
    theirs: list[float] = []
    ratios = []
    for _ in range(ROUNDS):
        a, b = await latencies(loki, SEQUENTIAL), await latencies(echo, SEQUENTIAL)
        ratios.append(median(a) / median(b))
        ours += a
        theirs += b
    ratio = median(ratios)
    p50 = f"{median(ours) * 1e6:.0f} µs against {median(theirs) * 1e6:.0f}"
    p99s = percentile(ours, 99), percentile(theirs, 99)
    p99 = f"{p99s[0] * 1e6:.0f} µs against {p99s[1] * 1e6:.0f}"
    return [
        Figure("unary p50 / echo", ratio, "x", "at most 1.3", ratio <= 1.3, p50),
        Figure("unary p99 / echo", p99s[0] / p99s[1], "x", note=p99),
    ]


async def concurrent(loki: Call, echo: Call) -> list[Figure]:
    figures = []
    for in_flight in IN_FLIGHT:
        pairs = [
            (await throughput(loki, in_flight), await throughput(echo, in_flight)) for _ in range(3)
        ]
        share = median(a / b for a, b in pairs) * 100
        note = f"{median(a for a, _ in pairs):.0f}/s against {median(b for _, b in pairs):.0f}"
        goal = "at least 60" if in_flight == 32 else ""
        met = share >= 60 if in_flight == 32 else None
        figures.append(Figure(f"throughput, {in_flight} in flight", share, "%", goal, met, note))
    return figures


def run() -> list[Figure]:
    with echo_server() as echo, LokiServer(tools=TOOLS) as loki:
        return asyncio.run(measure(loki.address, echo))
