"""Scripts that runners keep: a full cache, new revisions and dead runners change no result."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from loki.client import LokiClient
from loki.testing import LokiServer
from loki.v1 import device_pb2, script_pb2
from tests.e2e.census import pids_of

PATIENCE_S = 30.0
CONFIG = """
script_cache_size = 2
[queue]
runners = 1
max_runners = 1
"""
TOOLS = "".join(
    f"""
[[tools]]
name = "tool_{letter}"
return_type = "string"
script = {{ inline = "return '{letter}'" }}
"""
    for letter in "abc"
)


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(config=CONFIG, tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def soon(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s


def both_up(client: LokiClient) -> bool:
    """The runner, and its spare."""
    found = [each for each in client.get_children_status() if each.name.startswith("runner-")]
    return [each.state for each in found] == [device_pb2.CHILD_STATE_UP] * 2


def execute(client: LokiClient, name: str) -> object:
    """And wait until its runner is free: it gets the next one, too."""
    value = client.execute(name).value
    soon(lambda: not list(client.list_executions(state="running")))
    return value


def answer(value: str) -> script_pb2.ScriptDefinition:
    return script_pb2.ScriptDefinition(
        name="answer", source=f"return '{value}'", return_type=script_pb2.VALUE_TYPE_STRING
    )


def cache(client: LokiClient) -> device_pb2.ChunkCacheStatistics:
    (engine,) = client.get_capabilities().engines
    return engine.chunk_cache


def test_s_11_1_1_a_second_execution_neither_sends_nor_compiles(client: LokiClient) -> None:
    client.register_script(answer("known"))
    soon(lambda: both_up(client))
    assert execute(client, "answer") == "known"
    before = cache(client)
    for _ in range(3):
        assert execute(client, "answer") == "known"
    after = cache(client)
    assert (after.hits - before.hits, after.misses - before.misses) == (3, 0)
    assert after.compiles == before.compiles
    client.execute(source="return 1")
    assert cache(client).compiles == after.compiles + 1
    client.unregister_script("answer")


def test_s_4_3_2_more_scripts_than_a_runner_keeps(client: LokiClient) -> None:
    for letter in "abcacbbaccab":
        assert client.execute(f"tool_{letter}").value == letter
        assert client.execute(source=f"return '{letter}!'").value == f"{letter}!"
    assert cache(client).evictions > 0


def test_s_11_1_2_the_very_next_execution_runs_the_new_revision(client: LokiClient) -> None:
    script = client.register_script(answer("old"))
    assert client.execute("answer").value == "old"
    for n in range(5):
        script = client.register_script(answer(f"new {n}"), expected_revision=script.revision)
        assert client.execute("answer").value == f"new {n}"
    client.unregister_script("answer")
    client.register_script(answer("back"))
    assert client.execute("answer").value == "back"


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # The last one to be killed, perhaps.
        os.kill(pid, signal.SIGKILL)


def test_s_4_3_2_a_new_runner_starts_with_nothing(server: LokiServer, client: LokiClient) -> None:
    for _ in range(4):
        assert client.execute("tool_a").value == "a"
        kill(max(pids_of(server, "runner")))
    assert client.execute("tool_a").value == "a"
    assert client.execute("tool_b").value == "b"
    assert "incident" not in server.log
