"""Data of scripts as their authors meet it: many runs at once, one store."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
"""


@pytest.fixture(scope="module")
def client() -> Iterator[LokiClient]:
    with LokiServer(tools=TOOLS) as server, server.client() as connected:
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


def test_s_8_2_1_a_file_grows_and_is_described(client: LokiClient) -> None:
    grown = client.execute("log").value
    assert grown == {"text": "one;two;", "type": "file", "size": 8}
