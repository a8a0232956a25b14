"""Reads files again when they changed: after a burst of saves once, and never in the mailbox.

Theory of operation. A sign of change sets a timer; what is due is read in a worker thread, which
then watches what the files say that there is to watch. Of a change between the start of a reading
and the first watch of a folder nobody is told: so whatever changed there since then is read again.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, Protocol, TypeVar

from loki.actors.door.role import Shell, Timer
from loki.actors.file.file_watch import FileWatch, Places
from loki.core.burst import Burst, signed
from loki.tool import vantage

SWITCH_S = 0.0005


class Seen(Protocol):
    """What a reading found."""

    @property
    def places(self) -> Places:
        """Where a change may change it."""


T = TypeVar("T", bound=Seen)


class Reloader(Generic[T]):
    """`read` is called in a thread of its own, all else in the role's loop."""

    def __init__(
        self,
        shell: Shell,
        read: Callable[[], T],
        took: Callable[[T], Coroutine[Any, Any, None]],
        *,
        watches: bool,
    ) -> None:
        """`took` is told of each reading but the first one, in order."""
        self._shell = shell
        self._read = read
        self._took = took
        self._worker = shell.worker("files")
        self._watches = watches
        self._watch: FileWatch | None = None
        self._burst: Burst | None = None
        self._timer: Timer | None = None
        self._busy = True  # Until `begin`.
        self._waiting: list[asyncio.Future[None]] = []

    async def first(self) -> T:
        """Read, and watch from now on; what changes is told after `begin`."""
        if self._watches:
            loop = asyncio.get_running_loop()
            self._watch = FileWatch(lambda: self._signal(loop), self._shell.log)
        return await self._look()

    def begin(self) -> None:
        """Whoever is told is ready for it."""
        self._busy = False
        self._set_timer()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()

    def touched(self) -> None:
        """Something changed."""
        self._burst = signed(self._burst, self._shell.clock.monotonic_s())
        self._set_timer()

    async def again(self) -> None:
        """Read, whether or not something changed, and wait until what was found was taken."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self.touched()
        await done

    def _signal(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by the thread that watches."""
        with suppress(RuntimeError):  # The loop is closed: this process is about to end.
            loop.call_soon_threadsafe(self.touched)

    def _set_timer(self) -> None:
        if self._burst is not None and self._timer is None and not self._busy:
            delay_s = self._burst.due_s - self._shell.clock.monotonic_s()
            self._timer = self._shell.later(max(delay_s, 0.0), self._due)

    def _due(self) -> None:
        self._timer = None
        if self._burst is not None and self._burst.due_s > self._shell.clock.monotonic_s():
            self._set_timer()  # More came.
            return
        self._burst = None
        self._busy = True
        self._shell.mind(asyncio.create_task(self._reload()))

    async def _reload(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            await self._took(await self._look())
        finally:
            for done in waiting:
                if not done.done():
                    done.set_result(None)
            self.begin()

    async def _look(self) -> T:
        loop = asyncio.get_running_loop()
        reading, missed = await loop.run_in_executor(self._worker, self._read_and_watch)
        if missed:
            self.touched()
        return reading

    def _read_and_watch(self) -> tuple[T, bool]:
        began_ns = self._shell.clock.now_ns()
        with _giving_way():
            reading = self._read()
        if self._watch is None:
            return reading, False
        new = self._watch.look_at(reading.places)
        places = {folder: reading.places[folder] for folder in new}
        return reading, vantage.changed_since(places, began_ns)


@contextmanager
def _giving_way() -> Iterator[None]:
    """Let the other threads run ten times as often as Python does: each system call of the mailbox
    ends in a wait for this one.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
