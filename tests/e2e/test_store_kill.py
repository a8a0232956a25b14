"""Loki or Hel killed again and again while all stores are written: nothing acknowledged is lost.

LOKI_KILL_ROUNDS says how often, for a longer look than in every test run; LOKI_KILL_SEED repeats
the choices of an earlier one.
"""

import os
import random
import re
import select
import signal
import sqlite3
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import numpy as np
import pytest
import xarray

from loki.client import LokiClient, LokiClientError, Value
from loki.testing import LokiServer
from loki.v1 import device_pb2, script_pb2
from tests.e2e import ledger
from tests.e2e.census import reap_orphans
from tests.e2e.ledger import Ledger, State

ROUNDS = int(os.environ.get("LOKI_KILL_ROUNDS", "30"))
SEED = int(os.environ.get("LOKI_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
PATIENCE_S = 20.0
SERVING_WITHIN_S = 3.0
SLOWER_THAN_A_START = 5.0  # At most, where the machine is so slow that this is more.
MOST_TOLD = 120
RUN_LENGTH = 500  # Operations.
OPENED = re.compile(r"hel\.sqlite was checked and opened in ([0-9.]+) s")
CONFIG = """
[logging]
level = "INFO"
[supervision]
intensity = 10000
[children_config.hel]
series_chunk_rows = 16
series_late_s = 1
series_keep_rows = 1000
"""
TOOLS = """
[[tools]]
name = "use"
return_type = "object"
parameters = [
  { name = "store", type = "string" },
  { name = "first", type = "integer" },
  { name = "last", type = "integer", required = false, default = 1000000 },
]
permissions = { storage = true, files = "rw", series = true }
wait_for_child_ms = 8000
limits = { max_execution_time_ms = 60000 }
script = { path = "use.lua" }
"""


class Writer:
    """Does one operation after the other until it is told to stop or its server is gone."""

    def __init__(self, ledger: Ledger, news: threading.Condition) -> None:
        self.ledger = ledger
        self._news = news

    def run(self, server: LokiServer, stop: threading.Event) -> None:
        write = self._register if self.ledger.name == "scripts" else self._follow
        with server.client() as client:
            try:
                write(client, stop)
            except LokiClientError as error:
                if error.code_name != "UNAVAILABLE" and error.reason != "OUTCOME_UNKNOWN":
                    raise
            finally:
                with self._news:
                    stop.set()
                    self._news.notify_all()

    def _follow(self, client: LokiClient, stop: threading.Event) -> None:
        """A run whose next call waits for the next Hel outlives this one, and ends by itself."""
        first = self.ledger.done + 1
        while not stop.is_set():
            arguments = {"store": self.ledger.name, "first": first, "last": first + RUN_LENGTH}
            with client.stream("use", arguments) as events:
                for event in events:
                    if isinstance(event, Value):
                        assert isinstance(event.value, int)
                        self._tell(event.value)
            first = self.ledger.told + 1

    def _register(self, client: LokiClient, stop: threading.Event) -> None:
        while not stop.is_set():
            n = self.ledger.told + 1
            register(client, n)
            self._tell(n)

    def _tell(self, n: int) -> None:
        with self._news:
            self.ledger.told = n
            self._news.notify_all()


def register(client: LokiClient, n: int) -> None:
    """Operation n of the registered scripts."""
    name = f"r{n % 4}"
    known = {script.name: script.revision for script in client.list_scripts()}
    if n % 8 == 7:
        client.unregister_script(name)
        return
    definition = script_pb2.ScriptDefinition(
        name=name, source=f"return {n}", return_type=script_pb2.VALUE_TYPE_INTEGER
    )
    client.register_script(definition, expected_revision=known.get(name, ""))


def registered(client: LokiClient) -> State:
    names = [each.name for each in client.list_scripts() if each.name != "use"]
    return {name: client.execute(name).value for name in names}


class World:
    """One state directory, and whoever serves it just now."""

    def __init__(self, folder: Path) -> None:
        (folder / "tools.toml").write_text(TOOLS)
        (folder / "use.lua").write_text(ledger.SCRIPT)
        self.state_dir = folder / "state"
        self.back_s: list[float] = []  # From a kill to the first answer of all stores.
        self.ledgers = [
            Ledger(apply)
            for apply in (
                ledger.values,
                ledger.files,
                ledger.series,
                ledger.brief,
                ledger.scripts,
            )
        ]
        self.server = LokiServer(
            config=CONFIG, tools=folder / "tools.toml", state_dir=self.state_dir
        )
        began = time.monotonic()
        self.server.start()
        self.within_s = max(SERVING_WITHIN_S, SLOWER_THAN_A_START * (time.monotonic() - began))

    def write_until(self, kill: Callable[["World"], None], chance: random.Random) -> None:
        news, stop = threading.Condition(), threading.Event()
        writers = [Writer(each, news) for each in self.ledgers]
        before = sum(each.told for each in self.ledgers)
        enough, instant_s = before + chance.randrange(4, MOST_TOLD), chance.random() * 0.01
        with ThreadPoolExecutor(len(writers)) as pool:
            running = [pool.submit(writer.run, self.server, stop) for writer in writers]
            with news:
                news.wait_for(
                    lambda: stop.is_set() or sum(each.told for each in self.ledgers) >= enough,
                    PATIENCE_S,
                )
            stop.wait(instant_s)
            began = time.monotonic()
            kill(self)
            stop.set()
            finished(running)
        self.check()
        self.back_s.append(time.monotonic() - began)

    def check(self) -> None:
        with self.server.client() as client:
            for each in self.ledgers:
                each.check(self._found(client, each))
        assert not list((self.state_dir / "files" / ".unfinished").iterdir())
        count_is_right(self.state_dir / "hel.sqlite")
        assert not [each for each in self.state_dir.iterdir() if "hel.sqlite." in each.name]

    def _found(self, client: LokiClient, store: Ledger) -> State:
        if store.name == "scripts":
            return registered(client)
        if store.name == "series" and not store.told:
            return {}
        arguments = {"store": store.name, "first": 0}
        done = client.execute("use", arguments, timeout_s=PATIENCE_S)
        assert isinstance(done.value, dict)
        return done.value

    def append_some(self) -> None:
        """Enough for a new file, so that the series looks after its files."""
        (series,) = [each for each in self.ledgers if each.name == "series"]
        first = series.done + 1
        with self.server.client() as client:
            client.execute("use", {"store": series.name, "first": first, "last": first + 9})
        series.told = first + 9
        self.check()

    def wait_for_windows(self) -> None:
        """Until the coarser series has what is complete; those of the last calls come by and by."""
        give_up_s = time.monotonic() + PATIENCE_S
        with self.server.client() as client:
            while time.monotonic() < give_up_s:
                found = client.execute("use", {"store": "series", "first": 0, "last": 0}).value
                assert isinstance(found, dict)
                if found["complete"]:
                    return
        raise AssertionError("a window was not kept")

    def wait_for_removals(self) -> None:
        """Until nothing is left of series that were removed, which goes by and by."""
        give_up_s = time.monotonic() + PATIENCE_S
        with self.server.client() as client:
            while [*self.state_dir.glob("series/use/.brief.*")]:
                assert time.monotonic() < give_up_s, "files of a removed series stay"
                client.execute("use", {"store": "brief", "first": 0})

    def kill_all(self) -> None:
        """All processes at once, as a power cut would; then it is started again."""
        pidfds = []
        for pid in self.server.pids():
            with suppress(ProcessLookupError):  # One that ended by itself just then.
                pidfds.append(os.pidfd_open(pid))
        for pidfd in pidfds:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        for pidfd in pidfds:
            wait_for(pidfd)
        self.server.stop()
        reap_orphans()  # Some ten of each round; the kernel has no room for those of thousands.
        files_are_whole(self.state_dir / "series" / "use" / "numbers")
        self.server.start()

    def kill_hel(self) -> None:
        """Its supervisor starts it again."""
        give_up_s = time.monotonic() + PATIENCE_S
        with self.server.client() as client:
            while True:  # It serves a moment before its supervisor says so.
                (hel,) = [each for each in client.get_children_status() if each.name == "hel"]
                if hel.state == device_pb2.CHILD_STATE_UP:
                    break
                assert time.monotonic() < give_up_s, hel
            pidfd = os.pidfd_open(hel.pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        wait_for(pidfd)


def finished(running: "list[Future[None]]") -> None:
    for each in running:
        each.result(PATIENCE_S)


def wait_for(pidfd: int) -> None:
    """Until the process behind it is gone."""
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)


COUNTS = (
    "SELECT namespace, sum(length(key) + length(value) + 64) FROM keyvalue GROUP BY namespace",
    "SELECT namespace, count(*) * 32 FROM series JOIN series_row ON series = id GROUP BY namespace",
    "SELECT namespace, sum(series_chunk.size_bytes) FROM series JOIN series_chunk ON series = id "
    "GROUP BY namespace",
)


def count_is_right(database: Path) -> None:
    """What each namespace keeps, as the database says and as it is, at one moment."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        counted = reader.execute("SELECT namespace, keyvalue_bytes + series_bytes FROM usage")
        found = Counter[str]()
        said = Counter(dict(counted.fetchall()))
        for query in COUNTS:
            found.update(dict(reader.execute(query).fetchall()))
    assert said.total() > 0
    assert +said == +found


def files_are_whole(group: Path) -> None:
    """For whoever opens them while Loki is not there."""
    if not (group / "zarr.json").exists():  # It was killed while it made the first.
        return
    with xarray.open_zarr(group, decode_times=False) as dataset:
        numbers = dataset.value.values
        assert len(numbers) % 16 == 0
        assert not np.isnan(numbers).any()
        assert (np.diff(numbers) == 1).all()
        assert (dataset.time.values == (1_700_000_000 + numbers).astype(np.int64) * 10**9).all()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    with ExitStack() as stack:
        stack.callback(lambda: world.server.stop())
        yield world


@pytest.mark.timeout(120 + 10 * ROUNDS)
def test_s_8_3_2_nothing_acknowledged_is_lost_however_often_loki_is_killed(world: World) -> None:
    print(f"LOKI_KILL_SEED={SEED}")
    chance = random.Random(SEED)
    for number in range(ROUNDS):
        world.write_until(World.kill_all if number % 2 else World.kill_hel, chance)
    done = {each.name: each.done for each in world.ledgers}
    back = f"{statistics.median(world.back_s):.2f} s, {max(world.back_s):.2f} at most"
    opened_s = [float(each) for each in OPENED.findall(world.server.log)]
    print(f"operations {done}; back after {back}; Hel opened in {max(opened_s):.3f} s at most")
    assert all(done.values()), done
    assert statistics.median(world.back_s) < world.within_s
    assert len(opened_s) > ROUNDS
    assert statistics.median(opened_s) < world.within_s
    assert (world.state_dir / "series/use/numbers/zarr.json").exists(), "no kill met a file"
    world.append_some()
    world.wait_for_windows()
    world.wait_for_removals()
    world.server.stop()
    assert not list(world.state_dir.rglob("*.partial"))
    assert not list(world.state_dir.glob("series/*/*~*")), "what a kill left was taken for newer"
