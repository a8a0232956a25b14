"""Settings that a client changes: in the file, in what holds, and in the versions that are kept."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.client import (
    ChildChanged,
    Credentials,
    EventWatch,
    LokiClient,
    LokiClientError,
    SettingsChanged,
)
from loki.testing import LokiServer

pytestmark = pytest.mark.e2e

TIMEOUT_S = 60.0
TOKEN = "the-token-of-the-panel-in-the-hall"
LIMIT = "resource_limits.max_output_kb"
ROLES = "security.principals.panel.roles"
SETTINGS = """# The board in the hall
[resource_limits]
max_output_kb = 256  # enough

[security.principals.panel]
token_env = "PANEL_TOKEN"
roles = ["read", "admin"]
"""
TOOLS = """
[[tools]]
name = "allowed"
return_type = "integer"
script = { inline = "return loki.budget().allowed.output_bytes // 1024" }
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    environment = {"PANEL_TOKEN": TOKEN, "LOKI_QUEUE__MAX_LENGTH": "50"}
    with LokiServer(config=SETTINGS, tools=TOOLS, environment=environment) as running:
        yield running


@pytest.fixture
def file(server: LokiServer) -> Path:
    return server.folder / "loki.toml"


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with LokiClient(server.address, timeout_s=TIMEOUT_S, patience_s=TIMEOUT_S) as connected:
        yield connected


def change(watch: EventWatch, key: str) -> SettingsChanged:
    """Which names that key."""
    changes = (event for event in watch if isinstance(event, SettingsChanged))
    return next(event for event in changes if key in event.changed)


def test_s_r_9_an_update_holds_when_it_is_answered(file: Path, client: LokiClient) -> None:
    before = client.settings.get()
    with client.watch_events(["settings"]) as watch:
        watch.start()
        done = client.settings.update(
            {LIMIT: 33, "script_cache_size": 9}, expected_version=before.version
        )
        assert client.execute("allowed").value == 33
        told = change(watch, LIMIT)
    assert told.version == done.version == client.settings.get().version > before.version
    assert told.waiting == ("script_cache_size",)
    assert {setting.key: setting.effect for setting in done.changed} == {
        LIMIT: "next_run",
        "script_cache_size": "restart",
    }
    assert "max_output_kb = 33  # enough" in file.read_text().splitlines()
    (waits,) = (each for each in client.settings.get().settings if each.waits)
    assert (waits.key, waits.value, waits.running) == ("script_cache_size", 9, 100)
    assert client.settings.get(before.version)[LIMIT] == before[LIMIT]
    assert client.settings.get(done.version)[LIMIT] == 33


@pytest.mark.parametrize(
    ("values", "reason", "text"),
    [
        ({LIMIT: -1}, "ARGUMENT_INVALID", f"{LIMIT} = -1: must be at least 0; nothing has changed"),
        ({"queue.max_length": 5}, "CONFIGURATION", "LOKI_QUEUE__MAX_LENGTH sets it"),
        ({"children": []}, "CONFIGURATION", "on the device only"),
        ({ROLES: ["read"]}, "CONFIGURATION", "take the role 'admin' from 'panel'"),
    ],
)
def test_s_r_9_what_cannot_be_changes_nothing(
    server: LokiServer, file: Path, values: dict[str, object], reason: str, text: str
) -> None:
    before = file.read_text()
    shown = Credentials(token=TOKEN)
    with LokiClient(server.address, credentials=shown, timeout_s=TIMEOUT_S) as panel:
        with pytest.raises(LokiClientError, match=text.replace("[", r"\[")) as raised:
            panel.settings.update({LIMIT: 44} | values)
        assert raised.value.reason == reason
        stale = panel.settings.get().version + 1
        with pytest.raises(LokiClientError) as raised:
            panel.settings.update({LIMIT: 44}, expected_version=stale)
        assert raised.value.code_name == "ABORTED"
    assert file.read_text() == before


def test_s_r_9_a_right_that_is_taken_is_gone_at_once(
    server: LokiServer, client: LokiClient
) -> None:
    shown = Credentials(token=TOKEN)
    with LokiClient(server.address, credentials=shown, patience_s=0) as panel:
        assert panel.settings.get()[ROLES] == ["read", "admin"]
        client.settings.update({ROLES: ["read"]})
        with pytest.raises(LokiClientError) as raised:
            panel.settings.get()
        assert raised.value.code_name == "PERMISSION_DENIED"
        client.settings.update({}, remove=["security.principals.panel"])
        with pytest.raises(LokiClientError) as raised:
            panel.get_capabilities()
        assert raised.value.code_name == "UNAUTHENTICATED"


@pytest.mark.parametrize("part", ["gateway", "dispatcher", "hel"])
def test_s_1_3_9_what_is_started_again_knows_of_it(
    server: LokiServer, client: LokiClient, part: str
) -> None:
    new = client.settings.get()[LIMIT] + 1
    done = client.settings.update({LIMIT: new})
    kill(server, part)
    assert client.execute("allowed").value == new
    found = client.settings.get()
    assert (found[LIMIT], found.version) == (new, done.version)


def kill(server: LokiServer, part: str) -> None:
    """And wait for the next one."""
    with server.client() as own:
        (pid,) = (each.pid for each in own.get_children_status() if each.name == part)
        events = own.follow_events(["child"], include_recent=True)
        next(events)  # From now on it survives the gateway.
        os.kill(pid, signal.SIGKILL)
        ups = (e for e in events if isinstance(e, ChildChanged) and e.state == "up")
        next(up for up in ups if up.child == part and up.pid != pid)
