"""A burst of changes is one reading, readings never overlap, and none is missed."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loki.actors.file import reloader
from loki.actors.file.reloader import Reloader
from loki.clock import FakeClock
from tests.unit.loki.actors.library.shelf import Keeper, Shell

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Said:
    text: str
    places: dict[str, frozenset[str]]


class Desk:
    """One file, and all that was read of it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "file"
        self.file.write_text("0")
        self.shell = Shell(Keeper())
        self.clock = FakeClock(monotonic_s=100.0)
        self.shell.clock = self.clock  # type: ignore[assignment]
        self.took: list[str] = []
        self.readings = 0
        self.slow: Callable[[], None] = lambda: None
        self.aimed: list[FakeWatch] = []

    def read(self) -> Said:
        self.readings += 1
        text = self.file.read_text()
        self.slow()
        return Said(text, {str(self.file.parent): frozenset({"file"})})

    async def take(self, said: Said) -> None:
        self.took.append(said.text)

    def run(self, test: Callable[[Reloader[Said]], Coroutine[Any, Any, None]]) -> None:
        async def live() -> None:
            await test(Reloader(self.shell, self.read, self.take, watches=True))

        try:
            asyncio.run(live())
        finally:
            self.shell.threads.shutdown()


class FakeWatch:
    """Tells when the test says so; it looks at each folder for the first time once."""

    def __init__(self, touched: Callable[[], None], _log: object) -> None:
        self.touched = touched
        self.seen: set[str] = set()
        self.closed = False

    def look_at(self, places: dict[str, frozenset[str]]) -> frozenset[str]:
        new = places.keys() - self.seen
        self.seen |= new
        return frozenset(new)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)

    def watch(*given: Any) -> FakeWatch:
        made.aimed.append(FakeWatch(*given))
        return made.aimed[-1]

    monkeypatch.setattr(reloader, "FileWatch", watch)
    return made


async def calm(desk: Desk, files: Reloader[Said]) -> None:
    """Past the first reading, and whatever was written just before it."""
    desk.clock._now_ns = desk.file.stat().st_ctime_ns + 10**9
    assert (await files.first()).text == "0"
    files.begin()
    assert desk.shell.timers == []


def test_a_burst_is_one_reading(desk: Desk) -> None:
    async def test(files: Reloader[Said]) -> None:
        await calm(desk, files)
        desk.file.write_text("1")
        for _ in range(5):
            files.touched()
        (timer,) = desk.shell.timers
        assert timer.delay_s == pytest.approx(0.15)
        desk.clock.advance(0.1)
        files.touched()
        desk.clock.advance(0.05)
        await desk.shell.pass_time()
        assert desk.took == []  # It was not quiet for long enough.
        desk.clock.advance(0.11)
        await desk.shell.pass_time()
        assert (desk.took, desk.readings) == (["1"], 2)
        assert desk.shell.timers == []

    desk.run(test)


def test_an_endless_burst_is_read_all_the_same(desk: Desk) -> None:
    async def test(files: Reloader[Said]) -> None:
        await calm(desk, files)
        for _ in range(20):
            files.touched()
            desk.clock.advance(0.1)
            await desk.shell.pass_time()
        assert 3 <= len(desk.took) <= 5

    desk.run(test)


def test_what_comes_while_files_are_read_is_read_next(desk: Desk) -> None:
    """Two readings at once would be in no order."""
    reads, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        reads.set()
        assert go_on.wait(PATIENCE_S)

    async def test(files: Reloader[Said]) -> None:
        await calm(desk, files)
        desk.slow = slow
        files.touched()
        desk.clock.advance(0.2)
        passing = asyncio.create_task(desk.shell.pass_time())
        await asyncio.to_thread(reads.wait, PATIENCE_S)
        desk.file.write_text("2")
        files.touched()
        assert desk.shell.timers == []
        go_on.set()
        await passing
        desk.clock.advance(0.2)
        await desk.shell.pass_time()
        assert desk.took == ["0", "2"]

    desk.run(test)


def test_nobody_is_told_before_he_is_ready(desk: Desk) -> None:
    async def test(files: Reloader[Said]) -> None:
        await files.first()
        files.touched()
        assert desk.shell.timers == []
        files.begin()
        desk.clock.advance(0.2)
        await desk.shell.pass_time()
        assert desk.took == ["0"]

    desk.run(test)


def test_what_changed_before_it_was_watched_is_read_again(desk: Desk) -> None:
    async def test(files: Reloader[Said]) -> None:
        desk.clock._now_ns = desk.file.stat().st_ctime_ns - 1
        await files.first()
        files.begin()
        desk.clock.advance(0.2)
        await desk.shell.pass_time()
        assert desk.readings == 2
        assert desk.shell.timers == []  # What was watched already cannot be missed.

    desk.run(test)


def test_the_thread_that_watches_is_heard(desk: Desk) -> None:
    async def test(files: Reloader[Said]) -> None:
        await calm(desk, files)
        await asyncio.to_thread(desk.aimed[0].touched)
        await asyncio.sleep(0)
        assert len(desk.shell.timers) == 1
        files.close()
        assert desk.aimed[0].closed

    desk.run(test)
    desk.aimed[0].touched()  # The loop is closed; nothing is to be done about it.


def test_whoever_asks_for_a_reading_waits_until_it_was_taken(desk: Desk) -> None:
    """Of the next one: a reading that is under way may have begun too early."""

    async def test(files: Reloader[Said]) -> None:
        await calm(desk, files)
        desk.file.write_text("1")
        again = asyncio.ensure_future(files.again())
        await asyncio.sleep(0)
        assert not again.done()
        desk.clock.advance(0.2)
        await desk.shell.pass_time()
        await again
        assert desk.took == ["1"]

    desk.run(test)
