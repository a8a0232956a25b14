"""A shell for Hel's role, with real worker threads and a clock that tests move."""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hel_actor.actor import Hel
from hel_actor.config import HelConfig
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS

from loki.child import Run
from loki.clock import FakeClock
from loki.messages.envelope import Message
from tests.unit.children.hel_actor.series_world import World


class FakeTimer:
    def __init__(self, delay_s: float, action: Callable[[], None]) -> None:
        self.delay_s = delay_s
        self.action = action
        self.cancelled = False

    def cancel(self) -> None:
        self.action = lambda: None
        self.cancelled = True


class FakeShell:
    """Timers are kept for the test to fire."""

    name = "hel"
    previous = ""

    def __init__(self) -> None:
        self.clock = FakeClock(now_ns=1_700_000_000_000_000_000)
        self.log = logging.getLogger("test.hel")
        self.timers: list[FakeTimer] = []
        self.workers: dict[str, ThreadPoolExecutor] = {}
        self.minded: list[Future[Any]] = []

    def mind(self, promise: "Future[Any]") -> None:
        self.minded.append(promise)

    def later(self, delay_s: float, action: Callable[[], None]) -> FakeTimer:
        self.timers.append(FakeTimer(delay_s, action))
        return self.timers[-1]

    def worker(self, name: str) -> Executor:
        self.workers[name] = ThreadPoolExecutor(1, thread_name_prefix=name)
        return self.workers[name]

    def close(self) -> None:
        for worker in self.workers.values():
            worker.shutdown()


class Bench:
    """One Hel, and calls to it that wait for the reply."""

    def __init__(self, state_dir: Path, **settings: int) -> None:
        self.state_dir = state_dir
        self._closed = False
        self.shell = FakeShell()
        config = HelConfig(**settings).model_dump(mode="json") | {"state_dir": str(state_dir)}
        self.hel = Hel(self.shell, msgspec.msgpack.encode(config))

    def call(self, request: Message, run: Run) -> Any:
        answer = self.hel.calls()[type(request)](request, run)
        return answer.result(timeout=20) if isinstance(answer, Future) else answer

    def serve(self, request: Message) -> Any:
        """As one of Loki's own parts asks."""
        answer = self.hel.services()[type(request)](request)
        return answer.result(timeout=20) if isinstance(answer, Future) else answer

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for promise in self.shell.minded:
            promise.result(timeout=20)
        ended: list[bool] = []
        self.hel.finish(20.0, lambda: ended.append(True))
        for worker in self.shell.workers.values():
            worker.submit(lambda: None).result(timeout=20)
        while not ended:
            self.shell.timers.pop().action()
        self.shell.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def start_one(**settings: int) -> Bench:
        benches.append(Bench(tmp_path / "state", **settings))
        return benches[-1]

    yield start_one
    for bench in benches:
        bench.close()


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """All tables of Hel, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened, MIGRATIONS)
        yield opened


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def world(tmp_path: Path, worker: ThreadPoolExecutor) -> Iterator[World]:
    world = World(tmp_path, worker)
    yield world
    world.close()


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder where an fsync takes no time."""
    shared = Path("/dev/shm")
    with TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)
