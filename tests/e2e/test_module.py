"""Scripts that require files of the scripts folder, from edit to call."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2

TOOLS = """
[[tools]]
name = "greet"
return_type = "string"
script = { inline = "local words = require('lib.words') return words.hello(params.name)" }
parameters = [{ name = "name", type = "string", required = false, default = "you" }]
"""
CONFIG = """
script_storage_path = "scripts"
queue = { runners = 1, max_runners = 1 }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(config=CONFIG, tools=TOOLS) as running:
        yield running


@pytest.fixture
def scripts(server: LokiServer) -> Path:
    folder = server.folder / "scripts"
    (folder / "lib").mkdir(exist_ok=True)
    return folder


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def write(scripts: Path, greeting: str) -> None:
    text = (
        f"local words = {{}}\nfunction words.hello(n) return '{greeting} ' .. n end\nreturn words"
    )
    (scripts / "lib" / "words.lua").write_text(text)


def test_s_2_4_3_an_edited_module_is_in_the_next_call(client: LokiClient, scripts: Path) -> None:
    for greeting in ("hello", "moin", "hallo"):
        write(scripts, greeting)
        assert client.execute("greet").value == f"{greeting} you"
        source = "return require('lib.words').hello('all')"
        assert client.execute(source=source).value == f"{greeting} all"


def test_module_values_are_of_one_run(client: LokiClient, scripts: Path) -> None:
    (scripts / "count.lua").write_text("return { n = 0 }")
    source = "local c = require 'count' c.n = c.n + 1 return c.n"
    assert [client.execute(source=source).value for _ in range(4)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("require 'cuont'", "did you mean 'count'?"),
        ("require '../secret'", "leads out of the scripts folder"),
        ("require 'secret'", "leads out of the scripts folder"),
        ("require 'bad'", "scripts/bad.lua:2: syntax error near '+'; Lua has no +=; write"),
        ("require 'ring'", "modules require each other in a circle: ring > ring"),
        ("require 'raises'", "scripts/raises.lua:2: oh"),
    ],
)
def test_errors_say_which_file(
    server: LokiServer, client: LokiClient, scripts: Path, source: str, message: str
) -> None:
    (server.folder / "secret.lua").write_text("return 'secret'")
    (scripts / "count.lua").write_text("return { n = 0 }")
    (scripts / "bad.lua").write_text("local x = 1\nx += 1")
    (scripts / "ring.lua").write_text("require 'ring'")
    (scripts / "raises.lua").write_text("\nerror('oh')")
    link = scripts / "secret.lua"
    link.unlink(missing_ok=True)
    link.symlink_to(server.folder / "secret.lua")
    with pytest.raises(LokiClientError) as caught:
        client.execute(source=source)
    assert message in caught.value.message
    assert str(server.folder) not in caught.value.message
    assert caught.value.reason in ("SCRIPT_ERROR", "SCRIPT_PERMISSION")
    if "/bad.lua" in message or "/raises.lua" in message:
        assert caught.value.details["file"] == message.partition(":")[0]
        assert caught.value.details["source_line"] in ("x += 1", "error('oh')")


def test_compilations_of_modules_are_counted(client: LokiClient, scripts: Path) -> None:
    (scripts / "fresh.lua").write_text("return 1")
    before = module_cache(client)
    for _ in range(3):
        assert client.execute(source="return require 'fresh'").value == 1
    after = module_cache(client)
    assert after.compiles == before.compiles + 1
    required = after.hits + after.misses - before.hits - before.misses
    assert (required, after.hits > before.hits) == (3, True)


def module_cache(client: LokiClient) -> device_pb2.ChunkCacheStatistics:
    (engine,) = client.get_capabilities().engines
    return engine.module_cache
