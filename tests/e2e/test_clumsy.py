"""A child of somebody else's with bugs and with slow work: who hears what, and who is restarted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2

CONFIG = 'children = ["clumsy_actor", "clumsy_loop_actor"]\n'
PATIENT = CONFIG + "[children_config.clumsy]\nmissed_heartbeats = 100\n"
TOOL = """
[[tools]]
name = "{name}"
parameters = [{{ name = "it", type = "string" }}]
return_type = "void"
script = {{ inline = "{script}" }}
limits = {{ max_execution_time_ms = 60000 }}
wait_for_child_ms = 20000
"""
TOOLS = "".join(
    TOOL.format(name=name, script=script)
    for name, script in {
        "stumble": "clumsy:stumble(params.it)",
        "stumble_in_loop": "clumsy_loop:stumble(params.it)",
        "transfer": "clumsy:transfer(params.it)",
        "block": "clumsy:block(params.it)",
    }.items()
)
PATIENCE_S = 20.0
SILENCE_S = 3.0  # Longer than a part may be silent.


@contextmanager
def serving(config: str) -> Iterator[LokiServer]:
    environment = {"PYTHONPATH": str(Path(__file__).parent), "LOKI_SUPERVISION__INTENSITY": "100"}
    with LokiServer(config=config, tools=TOOLS, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with serving(CONFIG) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def status(client: LokiClient, child: str) -> device_pb2.ChildServiceInfo:
    return next(c for c in client.get_children_status() if c.name == child)


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s


def is_up_again(client: LokiClient, before: device_pb2.ChildServiceInfo) -> bool:
    now = status(client, before.name)
    return now.pid not in (0, before.pid) and now.state == device_pb2.CHILD_STATE_UP


def logged(server: LokiServer, incident: str) -> list[dict[str, Any]]:
    """What the log holds of it, as soon as there is something: an answer may come before it."""
    words = ("logs", "--json", "--server", server.address, "--incident", incident)
    end_s = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(
            [sys.executable, "-m", "loki", *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        if done.stdout or time.monotonic() > end_s:
            return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("tool", "where", "child"),
    [
        ("stumble", "handler", "clumsy"),
        ("stumble", "worker", "clumsy"),
        ("stumble_in_loop", "coroutine", "clumsy_loop"),
    ],
)
def test_s_10_1_2_a_bug_in_a_child_is_internal_with_an_incident_and_restarts_it(
    server: LokiServer, client: LokiClient, tool: str, where: str, child: str
) -> None:
    before, began_s = status(client, child), time.monotonic()
    with pytest.raises(LokiClientError) as caught:
        client.execute(tool, {"it": where})
    assert time.monotonic() - began_s < PATIENCE_S  # Its run has four times as long.
    assert (caught.value.code_name, caught.value.reason) == ("INTERNAL", "BUG")
    assert caught.value.retry_after_s is None
    assert "LookupError" not in str(caught.value)
    incident = caught.value.details["incident"]
    assert incident in str(caught.value)
    (record,) = logged(server, incident)
    assert (record["level"], record["actor"]) == ("error", child)
    assert "LookupError: a step that is not there" in record["message"]
    until(lambda: is_up_again(client, before))
    after = status(client, child)
    assert after.restarts == before.restarts + 1
    assert incident in after.last_error


@contextmanager
def slow_file(folder: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A file whose content comes when the second part of this is called, or at the end."""
    path = folder / "slow"
    os.mkfifo(path)
    open_for_both = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # So that nobody waits for a writer.
    come: list[int] = [open_for_both]

    def end() -> None:
        while come:
            os.close(come.pop())

    try:
        yield path, end
    finally:
        end()


def wait_while_it_works(client: LokiClient, before: device_pb2.ChildServiceInfo) -> None:
    """For longer than a part may be silent."""
    end_s = time.monotonic() + SILENCE_S
    until(lambda: time.monotonic() > end_s or status(client, before.name).pid != before.pid)


def test_s_7_1_1_a_child_that_is_busy_beside_its_mailbox_is_let_be(
    client: LokiClient, tmp_path: Path
) -> None:
    before = status(client, "clumsy")
    with slow_file(tmp_path) as (path, come), ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.execute, "transfer", {"it": str(path)})
        wait_while_it_works(client, before)
        assert not call.done()
        come()
        call.result(PATIENCE_S)
    after = status(client, "clumsy")
    assert (after.pid, after.restarts) == (before.pid, before.restarts)


def test_a_child_that_blocks_its_mailbox_is_replaced(client: LokiClient, tmp_path: Path) -> None:
    before = status(client, "clumsy")
    with slow_file(tmp_path) as (path, _), pytest.raises(LokiClientError) as caught:
        client.execute("block", {"it": str(path)})
    assert (caught.value.code_name, caught.value.reason) == ("UNAVAILABLE", "CHILD_DOWN")
    until(lambda: is_up_again(client, before))
    assert status(client, "clumsy").last_error.startswith("hung: did not answer for ")


def test_a_child_that_may_be_silent_for_longer_is_let_be(tmp_path: Path) -> None:
    with serving(PATIENT) as server, server.client() as client:
        before = status(client, "clumsy")
        with slow_file(tmp_path) as (path, come), ThreadPoolExecutor(1) as pool:
            call = pool.submit(client.execute, "block", {"it": str(path)})
            wait_while_it_works(client, before)
            come()
            call.result(PATIENCE_S)
        assert status(client, "clumsy").pid == before.pid
