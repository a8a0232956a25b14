"""Data of scripts as their authors meet it: many runs at once, one store."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from loki.client import LokiClient
from loki.testing import LokiServer

TOOLS = """
[[tools]]
name = "count"
return_type = "integer"
script = { inline = "return hel:storage_increment('n', 2)" }
permissions = { storage = true }

[[tools]]
name = "own"
parameters = [
  { name = "who", type = "string" },
  { name = "release", type = "boolean", required = false, default = false },
]
return_type = "boolean"
script = { inline = \"\"\"
if params.release then return hel:storage_cas('owner', params.who) end
return hel:storage_cas('owner', nil, params.who)\"\"\" }
permissions = { storage = true }

[[tools]]
name = "log"
return_type = "object"
script = { inline = \"\"\"
hel:fs_append('log.txt', 'one;')
hel:fs_append('log.txt', 'two;')
local about = hel:fs_stat('log.txt')
return { text = hel:fs_read('log.txt'), type = about.type, size = about.size_bytes }\"\"\" }
permissions = { files = "rw" }

[[tools]]
name = "look"
return_type = "array"
script = { inline = "return hel:fs_list_dir('.')" }
permissions = { files = "r" }

[[tools]]
name = "tour"
return_type = "object"
script = { inline = \"\"\"
local bytes = 'a\\\\0b\\\\255'
hel:fs_create_dir('a/b')
hel:fs_write('a/b/one.bin', bytes)
hel:fs_write('a/b/two.bin', 'gone')
hel:fs_delete('a/b/two.bin')
hel:storage_set('kept', loki.bytes(bytes))
hel:storage_set('removed', 1)
hel:storage_remove('removed')
hel:cache_set('first', loki.bytes(bytes))
hel:cache_set('second', 2)
hel:cache_set('third', 3)
local cached = hel:cache_get('first') == bytes
hel:cache_invalidate('second')
local second, third = hel:cache_get('second'), hel:cache_get('third')
hel:cache_invalidate_all()
return {
  binary = hel:fs_read('a/b/one.bin') == bytes and hel:storage_get('kept') == bytes and cached,
  files = hel:fs_list_dir('a/b'),
  keys = hel:storage_keys(),
  invalidated = second == nil and third == 3,
  all_invalidated = hel:cache_get('first') == nil and hel:cache_get('third') == nil,
}\"\"\" }
permissions = { files = "rw", storage = true }

[[tools]]
name = "store"
return_type = "void"
script = { inline = "hel:storage_set('held', 1)" }
permissions = { storage = true }
limits = { max_execution_time_ms = 20000 }
"""
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def test_s_8_3_1_no_increment_of_many_runs_is_lost(client: LokiClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: client.execute("count").value, range(40)))
    assert sorted(numbers) == list(range(2, 82, 2))


def test_s_8_3_1_one_of_many_gets_what_nobody_has(client: LokiClient) -> None:
    names = [f"worker-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda who: client.execute("own", {"who": who}).value, names))
    assert got.count(True) == 1
    owner = names[got.index(True)]
    assert client.execute("own", {"who": "another", "release": True}).value is False
    assert client.execute("own", {"who": owner, "release": True}).value is True
    assert client.execute("own", {"who": "another"}).value is True


def test_s_8_5_1_a_script_uses_every_store(client: LokiClient) -> None:
    toured = client.execute("tour").value
    assert toured == {
        "binary": True,
        "files": ["one.bin"],
        "keys": ["kept"],
        "invalidated": True,
        "all_invalidated": True,
    }


def test_s_8_2_1_a_file_grows_and_is_described(client: LokiClient) -> None:
    grown = client.execute("log").value
    assert grown == {"text": "one;two;", "type": "file", "size": 8}


def test_s_8_1_1_a_store_that_others_hold_up_is_no_hang(
    server: LokiServer, client: LokiClient
) -> None:
    """Heartbeats are answered meanwhile, as are calls that do not need it."""
    client.execute("store")
    before = next(c for c in client.get_children_status() if c.name == "hel")
    holder = sqlite3.connect(server.state_dir / "hel.sqlite", isolation_level=None)
    with ThreadPoolExecutor(1) as pool, closing(holder):
        holder.execute("BEGIN IMMEDIATE")
        waits = pool.submit(client.execute, "store")
        # Longer than a part may be silent, 1.5 s, and less than SQLite waits for others, 5 s.
        end_s = time.monotonic() + 2.2
        while time.monotonic() < end_s:
            client.execute("look")
        assert not waits.done()
        holder.execute("ROLLBACK")
        waits.result(PATIENCE_S)
    after = next(c for c in client.get_children_status() if c.name == "hel")
    assert (after.pid, after.restarts) == (before.pid, before.restarts)
