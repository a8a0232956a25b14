"""The settings' file is edited while Loki runs: what holds, for whom, and what is told."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from loki.client import (
    ConfigRejected,
    Credentials,
    EventWatch,
    LokiClient,
    LokiClientError,
    Result,
    SettingsChanged,
)
from loki.testing import LokiServer
from tests.e2e.census import pid_of

pytestmark = pytest.mark.e2e

TOKEN = "a-token-of-ann-0123456789"  # Of this test.
SETTINGS = """
[resource_limits]
max_execution_time_ms = 20000
[queue]
runners = 1
[children_config.hel]
quota_mb = 64
"""
TOOLS = """
[[tools]]
name = "wait"
return_type = "string"
script = { inline = "loki.emit('begun') loki.sleep(params.ms) return 'done'" }
parameters = [{ name = "ms", type = "integer" }]
"""
ANN = """
[security.principals.ann]
token_file = "ann.token"
roles = ["read"]
"""
BUDGET_MS = 15_000
PATIENCE_S = 30.0


def soon(true: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > end_s:
            return False
    return True


@dataclass(frozen=True)
class Device:
    server: LokiServer
    client: LokiClient
    watch: EventWatch

    def edit(self, text: str) -> SettingsChanged | ConfigRejected:
        """As editors save; what is told of it."""
        file = self.server.folder / "loki.toml"
        beside = file.with_name("loki.toml~")
        beside.write_text(text)
        beside.replace(file)
        return self.told()

    def told(self) -> SettingsChanged | ConfigRejected:
        event = next(iter(self.watch))
        assert isinstance(event, SettingsChanged | ConfigRejected)
        return event

    def pid_of(self, name: str) -> int:
        return next(c.pid for c in self.client.get_children_status() if c.name == name)

    def budget_ms(self) -> int:
        """Of a run that says nothing of its own; 0 where nobody serves it just now."""
        with self.server.client() as client:
            try:
                return client.execute("wait", {"ms": 0}).usage.budgets["max_execution_time_ms"]
            except LokiClientError as error:
                if error.code_name != "UNAVAILABLE":
                    raise
                return 0


@pytest.fixture
def device() -> Iterator[Device]:
    with (
        LokiServer(config=SETTINGS, tools=TOOLS) as server,
        server.client() as client,
        client.watch_events(["settings", "config"]) as watch,
    ):
        watch.start()
        yield Device(server, client, watch)


SHORT = SETTINGS.replace("20000", str(BUDGET_MS))


def test_s_1_3_9_an_edit_holds_for_the_next_run_whoever_dies_afterwards(device: Device) -> None:
    before = {name: device.pid_of(name) for name in ("library", "dispatcher", "gateway")}
    with device.client.stream("wait", {"ms": 600}) as running:
        next(running)
        told = device.edit(SHORT)
        assert told == SettingsChanged(
            sequence=told.sequence,
            time=told.time,
            changed=("resource_limits.max_execution_time_ms",),
            waiting=(),
            restarted=(),
            version=2,
        )
        assert device.budget_ms() == BUDGET_MS
        (result,) = running
    assert isinstance(result, Result)  # By what held before.
    assert result.execution.usage.budgets["max_execution_time_ms"] == 20_000
    assert {name: device.pid_of(name) for name in before} == before
    for name in ("library", "dispatcher"):
        os.kill(before[name], signal.SIGKILL)
        assert soon(lambda gone=before[name], name=name: device.pid_of(name) not in (0, gone))
        assert soon(lambda: device.budget_ms() == BUDGET_MS)


def test_s_1_3_9_what_is_wrong_changes_nothing_and_is_told(device: Device) -> None:
    file = device.server.folder / "loki.toml"
    rejected = device.edit(SETTINGS.replace("20000", "-1"))
    assert isinstance(rejected, ConfigRejected)
    assert rejected.file == f"{file}:3"
    assert rejected.problem == "resource_limits.max_execution_time_ms = -1: must be at least 1"
    assert device.client.settings.get().problem.startswith(rejected.file)
    assert isinstance(device.edit(SHORT), SettingsChanged)
    file.unlink()
    gone = device.told()
    assert isinstance(gone, ConfigRejected)
    assert gone.problem == "no such file"
    assert device.budget_ms() == BUDGET_MS


def test_s_1_3_9_a_child_is_restarted_and_addresses_wait(device: Device) -> None:
    text = SETTINGS.replace("quota_mb = 64", "quota_mb = 65") + "\n[http]\nport = 0\n"
    told = device.edit(text)
    assert isinstance(told, SettingsChanged)
    assert told.changed == ("children_config.hel.quota_mb",)
    assert (told.restarted, told.waiting) == (("hel",), ("http.port",))
    (port,) = (each for each in device.client.settings.get().settings if each.key == "http.port")
    assert (port.value, port.running) == (0, None)


def test_s_1_3_9_callers_and_their_rights_come_and_go(device: Device) -> None:
    token = device.server.folder / "ann.token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    ann = LokiClient(device.server.address, credentials=Credentials(token=TOKEN), patience_s=0)
    with ann:
        assert code_of(ann) == "UNAUTHENTICATED"
        assert isinstance(device.edit(SETTINGS + ANN), SettingsChanged)
        assert [script.name for script in ann.list_scripts()] == ["wait"]
        assert code_of(ann) == "PERMISSION_DENIED"
        device.edit(SETTINGS + ANN.replace("read", "run"))
        assert ann.execute("wait", {"ms": 0}).value == "done"
        device.edit(SETTINGS)
        assert code_of(ann) == "UNAUTHENTICATED"


def code_of(client: LokiClient) -> str:
    with pytest.raises(LokiClientError) as caught:
        client.execute("wait", {"ms": 0})
    return caught.value.code_name


def test_s_1_3_9_a_system_that_starts_anew_keeps_what_held(device: Device) -> None:
    device.edit(SHORT)
    pidfds = [os.pidfd_open(pid_of(device.server, part)) for part in ("loki", "gateway")]
    signal.pidfd_send_signal(pidfds[0], signal.SIGKILL)
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)
    assert soon(lambda: device.budget_ms() == BUDGET_MS)
