"""Typed methods on a whole Loki: foreign clients, stale schemas, and deaths of what serves them."""

import itertools
import json
import os
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from pathlib import Path
from typing import Any

import grpc
import pytest

from loki.client import LokiClient
from loki.client.error import error_of
from loki.errors import ErrorCode
from loki.grpc_gateway.typed import schema
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.testing import LokiServer
from loki.v1 import script_pb2
from tests.e2e.foreign import need_node, output_of
from tests.unit.loki.grpc_gateway.interface import classes, interface

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENT = {"LOKI_SUPERVISION__INTENSITY": "1000"}
TIMEOUT_S = 60.0
CALLERS = 4
REPLACEMENTS = 60
KINDS = {"i": ValueType.INTEGER, "s": ValueType.STRING}
NUMBERS = {"i": 1, "s": 2}
"""Of the parameter `n` when it is of that kind; the first was declared first."""
EXCUSES = {
    ErrorCode.STALE_SCHEMA.value,
    ErrorCode.UNSUPPORTED.value,  # While it is removed.
    ErrorCode.CHILD_DOWN.value,  # It was replaced too often meanwhile, and says to try again.
}


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    """Serves the examples; each test registers scripts of its own names."""
    with LokiServer(config=EXAMPLES / "loki.toml", environment=PATIENT) as running:
        yield running


def definition(name: str, kind: str, revision: int) -> script_pb2.ScriptDefinition:
    """Answers with the kind of its parameter, which it requires, and what it was given."""
    type_ = f"VALUE_TYPE_{KINDS[kind].name}"
    return script_pb2.ScriptDefinition(
        name=name,
        source=f"return '{kind}' .. params.n -- {revision}",
        parameters=[script_pb2.ParameterDefinition(name="n", type=type_)],
        return_type="VALUE_TYPE_STRING",
    )


def described(name: str, kind: str) -> Interface:
    """What a client knows who fetched the schema while the parameter was of that kind."""
    return interface(
        name,
        parameters=(Parameter(name="n", type=KINDS[kind]),),
        return_type=ValueType.STRING,
        numbers=(NUMBERS[kind],),
    )


class Typed:
    """A client that fetched the schema of one kind, and keeps it."""

    def __init__(self, channel: grpc.Channel, name: str, kind: str) -> None:
        made = classes(described(name, kind))
        self._request = made["CallRequest"]
        path = f"/{schema.full_name(name)}/"
        serialize = methodcaller("SerializeToString")
        self._call = channel.unary_unary(
            f"{path}Call",
            request_serializer=serialize,
            response_deserializer=made["CallResponse"].FromString,
        )
        self._stream = channel.unary_stream(
            f"{path}CallStream",
            request_serializer=serialize,
            response_deserializer=made["CallStreamResponse"].FromString,
        )

    def call(self, n: int | str, *, streamed: bool = False) -> str:
        """The value, or the reason why there is none."""
        request = self._request(n=n)
        try:
            if streamed:
                *_, end = self._stream(request, timeout=TIMEOUT_S)
                return str(end.result.value)
            return str(self._call(request, timeout=TIMEOUT_S).value)
        except grpc.RpcError as error:
            return error_of(error).reason


def churn(client: LokiClient, name: str) -> None:
    """Replace it again and again: by the same schema, by another one, by nothing for a moment."""
    revision = ""
    for number, kind in enumerate(itertools.islice(itertools.cycle("iiss"), REPLACEMENTS)):
        if number % 7 == 6:
            client.unregister_script(name)
            revision = ""
        made = client.register_script(definition(name, kind, number), expected_revision=revision)
        revision = made.revision


def test_s_2_4_2_calls_meet_replacements_and_lose_nothing(server: LokiServer) -> None:
    name = "churned"
    answers: Counter[str] = Counter()
    over, counting = threading.Event(), threading.Lock()

    def calls(kind: str, streamed: bool) -> None:
        with grpc.insecure_channel(server.address) as channel:
            typed = Typed(channel, name, kind)
            for n in itertools.count():
                is_last = over.is_set()  # It finds what is left in the end.
                answer = typed.call(n if kind == "i" else str(n), streamed=streamed)
                with counting:
                    answers[f"right {kind}" if answer == f"{kind}{n}" else answer] += 1
                if is_last:
                    return

    with server.client() as client, ThreadPoolExecutor(CALLERS) as pool:
        client.register_script(definition(name, "i", -1))  # So that it has the number 1.
        client.unregister_script(name)
        callers = [pool.submit(calls, *each) for each in itertools.product("is", (False, True))]
        try:
            churn(client, name)
        finally:
            over.set()
        for caller in callers:
            caller.result(TIMEOUT_S)
        client.unregister_script(name)
    assert answers.keys() - EXCUSES <= {"right i", "right s"}, answers
    assert answers["right i"] + answers["right s"] > 0


def kill(client: LokiClient, name: str) -> None:
    (pid,) = [child.pid for child in client.get_children_status() if child.name == name]
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], TIMEOUT_S)[0]
    os.close(pidfd)


@pytest.mark.parametrize("part", ["library", "gateway"])
def test_typed_methods_outlive_what_publishes_and_serves_them(
    server: LokiServer, part: str
) -> None:
    """Whoever calls meanwhile is told to try again, and never that there is no such method."""
    name = f"outlives_{part}"
    with server.client() as client, grpc.insecure_channel(server.address) as channel:
        client.register_script(definition(name, "i", 0))
        typed = Typed(channel, name, "i")
        patiently(typed, 0)
        kill(client, part)
        patiently(typed, 1)


def patiently(typed: Typed, n: int) -> None:
    end_s, answer = time.monotonic() + TIMEOUT_S, ""
    while answer != f"i{n}":
        answer = typed.call(n)
        assert answer in {f"i{n}", "", ErrorCode.CHILD_DOWN.value}  # "" is gRPC's own.
        assert time.monotonic() < end_s


def test_s_3_3_2_node_calls_a_script_with_the_schema_it_asked_for(
    server: LokiServer, need: Callable[..., None]
) -> None:
    need_node(need)
    echo = script_pb2.ScriptDefinition(
        name="echo_integer",
        source="return params.big",
        parameters=[script_pb2.ParameterDefinition(name="big", type="VALUE_TYPE_INTEGER")],
        return_type="VALUE_TYPE_INTEGER",
    )
    with server.client() as client:
        client.register_script(echo)
    lines = output_of("node", "typed.js", server.address).splitlines()
    learned: dict[str, dict[str, Any]] = {fact.pop("step"): fact for fact in map(json.loads, lines)}
    assert learned == {
        "call": {"value": "hello, Node", "byDefault": "hello, world", "used": True},
        "integer": {"value": "9007199254740993"},
        "missing": {"code": "INVALID_ARGUMENT", "reason": "ARGUMENT_INVALID"},
        "stream": {
            "chunks": [*["output", "value", "progress"] * 3, "progress", "result"],
            "value": "lift-off",
        },
    }
