"""Typed methods: calls beside ExecuteScript and a bare gRPC echo, and what ten thousand cost.

All three sides of the calls take turns in one run. What scripts cost the gateway is measured on its
own parts in this process: what the Library publishes, and the readers of requests. `renaming` has
what a whole Loki keeps of a script that is registered again and again.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

import grpc

from benchmarks import renaming
from benchmarks.call import Call, echo_server, latencies, throughput
from benchmarks.result import Figure
from loki.actors.base.process import give_back_memory
from loki.grpc_gateway.typed import codec
from loki.grpc_gateway.typed.directory import EMPTY, Snapshot, TypedService
from loki.messages.interface import Interface, PublishInterfaces
from loki.messages.script import Parameter, ValueType
from loki.testing import LokiServer
from loki.v1 import execution_pb2, service_pb2, service_pb2_grpc

ROUNDS = 5
SEQUENTIAL = 200
IN_FLIGHT = 32
CALLS = 1000
TURNS = 3
SCRIPTS = 10_000
AGAIN = 5_000
TOOLS = """
[[tools]]
name = "one"
parameters = [{ name = "n", type = "integer" }]
return_type = "integer"
script = { inline = "return params.n" }
"""
REQUEST = b"\x08\x01"
"""n = 1, whose field has the number 1: the first of its tool."""


def run() -> list[Figure]:
    with echo_server() as echo, LokiServer(tools=TOOLS) as loki:
        figures = asyncio.run(measure(loki.address, echo))
    return [*figures, *scripts(), again(), *renaming.figures()]


async def measure(loki_address: str, echo_address: str) -> list[Figure]:
    async with (
        grpc.aio.insecure_channel(loki_address) as loki_channel,
        grpc.aio.insecure_channel(echo_address) as echo_channel,
    ):
        sides = calls(loki_channel, echo_channel)
        for side in sides:
            await latencies(side, 200)
        return [*await sequential(sides), *await concurrent(sides)]


def calls(loki: Any, echo: Any) -> tuple[Call, Call, Call]:
    """Typed, ExecuteScript, echo."""
    typed = loki.unary_unary("/loki.tools.v1.OneService/Call")
    stub = service_pb2_grpc.LokiServiceStub(loki)
    given = execution_pb2.ScriptInput(name="one")
    given.arguments["n"].int_value = 1
    request = service_pb2.ExecuteScriptRequest(input=given)
    raw = echo.unary_unary("/echo/Echo")
    return (
        lambda: typed(REQUEST),
        lambda: stub.ExecuteScript(request),
        lambda: raw(REQUEST),
    )


async def sequential(sides: Iterable[Call]) -> list[Figure]:
    rounds = [[median(await latencies(side, SEQUENTIAL)) for side in sides] for _ in range(ROUNDS)]
    typed, plain, echo = (median(side) for side in zip(*rounds, strict=True))
    of_plain = median(typed / plain for typed, plain, _ in rounds)
    of_echo = median(typed / echo for typed, _, echo in rounds)
    return [
        Figure(
            "typed unary p50 / ExecuteScript",
            of_plain,
            "x",
            "at most 1.1",
            of_plain <= 1.1,
            f"{typed * 1e6:.0f} µs against {plain * 1e6:.0f}",
        ),
        Figure(
            "typed unary p50 / echo",
            of_echo,
            "x",
            "at most 1.3",
            of_echo <= 1.3,
            f"{typed * 1e6:.0f} µs against {echo * 1e6:.0f}",
        ),
    ]


async def concurrent(sides: Iterable[Call]) -> list[Figure]:
    turns = [[await throughput(side, IN_FLIGHT, CALLS) for side in sides] for _ in range(TURNS)]
    typed, plain, echo = (median(side) for side in zip(*turns, strict=True))
    share = median(typed / echo for typed, _, echo in turns) * 100
    note = f"{typed:.0f}/s against {echo:.0f}; ExecuteScript {plain:.0f}"
    name = f"typed throughput, {IN_FLIGHT} in flight"
    return [Figure(name, share, "%", "at least 60", share >= 60, note)]


def interface(number: int, revision: int = 0) -> Interface:
    """Of the worst kind: no two share what reads their requests."""
    first = 20_000 + 2 * (number + revision)
    return Interface(
        name=f"tool_{number}",
        revision=f"{number}-{revision}",
        description="Mean of a sensor over n readings",
        parameters=(
            Parameter(name="sensor", type=ValueType.STRING, description="Sensor id"),
            Parameter(name="n", type=ValueType.INTEGER, minimum=1, maximum=100),
        ),
        return_type=ValueType.NUMBER,
        numbers=(first, first + 1),
    )


def resident_bytes() -> int:
    """Of this process, without what the system can have back."""
    give_back_memory()
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:")) * 1024


def grown(action: Callable[[], object]) -> tuple[float, float, object]:
    """Bytes by which this process grew, seconds that it took, and what it gave."""
    gc.collect()
    before, begin = resident_bytes(), time.perf_counter()
    kept = action()
    took_s = time.perf_counter() - begin
    return resident_bytes() - before, took_s, kept


def scripts() -> list[Figure]:
    published: Any
    size, took_s, published = grown(
        lambda: EMPTY.after(PublishInterfaces(changed=tuple(map(interface, range(SCRIPTS)))))
    )
    snapshot: Snapshot = published
    services = list(snapshot.services.values())[: codec.MOST_READERS]
    called, read_s, _ = grown(lambda: [codec.reader_of(service) for service in services])
    begin = time.perf_counter()
    for revision in range(100):
        snapshot = snapshot.after(PublishInterfaces(changed=(interface(7, revision),)))
    swap_s = (time.perf_counter() - begin) / 100
    return [
        Figure(
            f"memory of one of {SCRIPTS} scripts",
            size / SCRIPTS / 1024,
            "KiB",
            note=f"all published in {took_s * 1e3:.0f} ms",
        ),
        Figure(
            "memory of one that is called",
            called / len(services) / 1024,
            "KiB",
            note=f"{read_s / len(services) * 1e6:.0f} µs at its first call; at most "
            f"{codec.MOST_READERS} are kept",
        ),
        Figure(
            f"change of one of {SCRIPTS} scripts",
            swap_s * 1e6,
            "µs",
            note="in which the gateway does nothing else",
        ),
    ]


def again() -> Figure:
    """One script published over and over, with other parameters, and called each time."""

    def register_and_call(first: int) -> None:
        for revision in range(first, first + AGAIN):
            service = TypedService(interface(0, revision))
            codec.arguments_of(service, b"")

    register_and_call(0)
    size, _, _ = grown(lambda: register_and_call(AGAIN))
    met = size < 4 * 1024 * 1024
    note = "between two garbage collections, 3 MiB are normal"
    return Figure(
        f"growth of the gateway by {AGAIN} re-registrations",
        size / 1024,
        "KiB",
        "at most 4096",
        met,
        note,
    )
