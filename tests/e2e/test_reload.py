"""Files that are edited while Loki runs: each save is live, told, and undoes nothing that works."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from loki.client import (
    ConfigRejected,
    EventWatch,
    LokiClient,
    LokiClientError,
    Output,
    Result,
    ScriptChanged,
)
from loki.testing import LokiServer

PATIENCE_S = 30.0
TOOLS = """
[[tools]]
name = "edited"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "filed"
return_type = "integer"
script = { path = "source/filed.lua" }

[[tools]]
name = "slow"
return_type = "integer"
limits = { max_execution_time_ms = 60000 }
script = { inline = 'print("here") loki.sleep(500) return 1' }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    running = LokiServer(tools=TOOLS)
    (running.folder / "source").mkdir()
    (running.folder / "source" / "filed.lua").write_text("return 10")
    with running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


@pytest.fixture
def events(client: LokiClient) -> Iterator[EventWatch]:
    with client.watch_events(["script", "config"]) as watch:
        watch.start()
        yield watch


def save(file: Path, text: str) -> None:
    """As editors do: a new file takes the place of the old one."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text)
    new.rename(file)


def change(events: EventWatch, name: str) -> str:
    """What becomes of that script next."""
    return next(e.change for e in events if isinstance(e, ScriptChanged) and e.name == name)


def rejection(events: EventWatch) -> ConfigRejected:
    return next(e for e in events if isinstance(e, ConfigRejected))


def typed(server: LokiServer, service: str) -> grpc.StatusCode:
    """How a typed call without parameters ends."""
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(f"/loki.tools.v1.{service}/Call")
        try:
            call(b"", timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK


def test_s_2_4_1_an_edit_is_live_and_a_run_under_way_ends_as_it_began(
    server: LokiServer, client: LokiClient, events: EventWatch
) -> None:
    tools = server.folder / "tools.toml"
    with client.stream("slow") as run:
        first = next(run)
        assert isinstance(first, Output)
        save(tools, tools.read_text().replace("return 1", "return 2"))
        assert change(events, "edited") == "changed"
        assert client.execute("edited").value == 2
        *_, last = run
    assert isinstance(last, Result)
    assert last.execution.value == 1
    assert client.execute("slow").value == 2


def test_s_2_4_3_a_script_file_is_live_however_it_is_saved(
    server: LokiServer, client: LokiClient, events: EventWatch
) -> None:
    file = server.folder / "source" / "filed.lua"
    file.write_text("return 11")
    assert change(events, "filed") == "changed"
    assert client.execute("filed").value == 11
    save(file, "return 12")
    assert change(events, "filed") == "changed"
    assert client.execute("filed").value == 12
    file.unlink()
    told = rejection(events)
    assert told.file.startswith(str(server.folder / "tools.toml"))
    assert 'script.path = "source/filed.lua"' in told.problem
    assert client.execute("filed").value == 12
    save(file, "return 13")
    assert change(events, "filed") == "changed"
    assert client.execute("filed").value == 13


def test_s_1_3_9_what_is_broken_stays_as_it_was(
    server: LokiServer, client: LokiClient, events: EventWatch
) -> None:
    tools = server.folder / "tools.toml"
    good, before = tools.read_text(), client.execute("edited").value
    wrong = good.replace('return_type = "integer"', 'return_type = "integr"', 1)
    save(
        tools,
        wrong + '[[tools]]\nname = "fresh"\nreturn_type = "void"\nscript = { inline = "return" }',
    )
    told = rejection(events)
    assert (told.file, told.problem[:50]) == (
        f"{tools}:4",
        "tools[1] 'edited': return_type = \"integr\": must be",
    )
    assert change(events, "fresh") == "added"
    assert typed(server, "FreshService") is grpc.StatusCode.OK
    assert client.execute("edited").value == before
    save(tools, good + "[[")
    assert "is no valid TOML" in rejection(events).problem
    assert client.execute("fresh").value is None
    save(tools, good)
    assert change(events, "fresh") == "removed"
    with pytest.raises(LokiClientError, match="there is no script 'fresh'"):
        client.execute("fresh")
    assert typed(server, "FreshService") is grpc.StatusCode.UNIMPLEMENTED


def test_s_2_4_1_a_script_that_is_dropped_comes_and_goes(
    server: LokiServer, client: LokiClient, events: EventWatch
) -> None:
    file = server.folder / "dropped.lua"
    save(file, "--- loki: return_type = 'integer'\nreturn 5")
    assert change(events, "dropped") == "added"
    assert client.execute("dropped").value == 5
    file.unlink()
    assert change(events, "dropped") == "removed"
