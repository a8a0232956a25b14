"""Hel killed again and again while scripts write: what was acknowledged is there, and whole.

LOKI_HEL_KILLS says how often, for a longer look than in every test run.
"""

import os
import random
import select
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

KILLS = int(os.environ.get("LOKI_HEL_KILLS", "30"))
WRITERS = 4
TOOLS = """
[[tools]]
name = "use"
parameters = [{ name = "verb", type = "string" }, { name = "key", type = "string" }]
return_type = "object"
permissions = { storage = true, files = "rw" }
wait_for_child_ms = 8000
limits = { max_execution_time_ms = 20000 }
script = { inline = \"\"\"
local key = params.key
local verbs = {
  store = function() hel:storage_set(key, { key = key, text = key:rep(500) }) end,
  stored = function() return hel:storage_get(key) end,
  keys = function() return hel:storage_keys() end,
  write = function() hel:fs_write(key, key:rep(2000)) end,
  read = function() return hel:fs_read(key) end,
  files = function() return hel:fs_list_dir('.') end,
}
return { it = verbs[params.verb]() }\"\"\" }
"""
PATIENCE_S = 20.0


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def server(state_dir: Path) -> Iterator[LokiServer]:
    environment = {"LOKI_SUPERVISION__INTENSITY": "10000"}
    with LokiServer(tools=TOOLS, state_dir=state_dir, environment=environment) as running:
        yield running


def ask(client: LokiClient, verb: str, key: str = "") -> object:
    done = client.execute("use", {"verb": verb, "key": key}, timeout_s=PATIENCE_S)
    assert isinstance(done.value, dict)
    return done.value.get("it")


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s


class Writer:
    """Stores and writes one thing after the other; knows what was acknowledged."""

    def __init__(self, server: LokiServer, name: str, stop: threading.Event) -> None:
        self._server, self._name, self._stop = server, name, stop
        self.stored: list[str] = []
        self.written: list[str] = []

    def run(self) -> None:
        number = 0
        with self._server.client() as client:
            while not self._stop.is_set():
                number += 1
                self._try(client, "store", f"{self._name}-{number}", self.stored)
                self._try(client, "write", f"{self._name}-{number % 8}", self.written)

    def _try(self, client: LokiClient, verb: str, key: str, acknowledged: list[str]) -> None:
        try:
            ask(client, verb, key)
        except LokiClientError as error:
            if error.reason != "CHILD_DOWN":
                self._stop.set()
                raise
        else:
            acknowledged.append(key)


def kill_hel(server: LokiServer, old: int) -> int:
    """Kill one that serves by now, and wait until it is gone; its pid."""

    def there() -> list[int]:
        return [
            pid
            for pid in server.pids() - {old}
            if Path(f"/proc/{pid}/comm").read_text() == "loki:hel\n"
        ]

    until(lambda: bool(there()))
    (pid,) = there()
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(pidfd)
    return pid


def wait_for(pidfd: int) -> None:
    """Until the process behind it is gone."""
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)


def assert_whole(client: LokiClient, writers: list[Writer]) -> None:
    """Also of what was never acknowledged there is all or nothing."""
    keys, files = ask(client, "keys"), ask(client, "files")
    assert isinstance(keys, list)
    assert isinstance(files, list)
    assert {key for writer in writers for key in writer.stored} <= set(keys)
    assert {name for writer in writers for name in writer.written} <= set(files)
    for key in keys:
        assert ask(client, "stored", key) == {"key": key, "text": key * 500}
    for name in files:
        assert ask(client, "read", name) == name * 2000


@pytest.mark.timeout(120 + KILLS * 3)
def test_s_8_3_2_nothing_acknowledged_is_lost_however_often_hel_is_killed(
    server: LokiServer, state_dir: Path
) -> None:
    chance, stop = random.Random(8), threading.Event()
    writers = [Writer(server, f"w{number}", stop) for number in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        running = [pool.submit(writer.run) for writer in writers]
        try:
            pid = 0
            for _ in range(KILLS):
                writer, more = chance.choice(writers), chance.randrange(1, 6)
                enough = len(writer.stored) + more
                until(lambda w=writer, e=enough: stop.is_set() or len(w.stored) >= e)
                pid = kill_hel(server, pid)
        finally:
            stop.set()
        for each in running:
            each.result(PATIENCE_S)
    with server.client() as client:
        assert_whole(client, writers)
    pidfds = [os.pidfd_open(pid) for pid in server.pids()]
    os.kill(server.pid, signal.SIGKILL)
    for pidfd in pidfds:
        wait_for(pidfd)
    server.stop()
    with LokiServer(tools=TOOLS, state_dir=state_dir) as again, again.client() as client:
        assert_whole(client, writers)
    assert not list(state_dir.glob("*damaged*"))


def test_s_8_1_1_a_store_that_others_hold_up_is_no_hang(
    server: LokiServer, state_dir: Path
) -> None:
    """Heartbeats are answered meanwhile, as are calls that do not need it."""
    with server.client() as client, ThreadPoolExecutor(1) as pool:
        ask(client, "store", "first")
        before = next(c for c in client.get_children_status() if c.name == "hel")
        holder = sqlite3.connect(state_dir / "hel.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        waits = pool.submit(ask, client, "store", "second")
        end_s = time.monotonic() + 3.0  # Longer than a part may be silent.
        while time.monotonic() < end_s:
            assert ask(client, "files") == []
        assert not waits.done()
        holder.execute("ROLLBACK")
        holder.close()
        waits.result(PATIENCE_S)
        after = next(c for c in client.get_children_status() if c.name == "hel")
        assert (after.pid, after.restarts) == (before.pid, before.restarts)
        assert ask(client, "keys") == ["first", "second"]
