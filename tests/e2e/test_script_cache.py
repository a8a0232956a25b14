"""Scripts that runners keep: a full cache, new revisions and dead runners change no result."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.client import LokiClient
from loki.testing import LokiServer
from loki.v1 import device_pb2, script_pb2

CONFIG = """
script_cache_size = 2
[queue]
runners = 1
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


def is_runner(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("loki:runner")
    except OSError:  # It is gone.
        return False


def answer(value: str) -> script_pb2.ScriptDefinition:
    return script_pb2.ScriptDefinition(
        name="answer", source=f"return '{value}'", return_type=script_pb2.VALUE_TYPE_STRING
    )


def cache(client: LokiClient) -> device_pb2.ChunkCacheStatistics:
    (engine,) = client.get_capabilities().engines
    return engine.chunk_cache


def test_s_11_1_1_a_second_execution_neither_sends_nor_compiles(client: LokiClient) -> None:
    client.register_script(answer("known"))
    assert client.execute("answer").value == "known"
    before = cache(client)
    for _ in range(3):
        assert client.execute("answer").value == "known"
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


def test_s_4_3_2_a_new_runner_starts_with_nothing(server: LokiServer, client: LokiClient) -> None:
    for _ in range(4):
        assert client.execute("tool_a").value == "a"
        os.kill(max(pid for pid in server.pids() if is_runner(pid)), signal.SIGKILL)
    assert client.execute("tool_a").value == "a"
    assert client.execute("tool_b").value == "b"
    assert "incident" not in server.log
