"""The starter's signals: SIGINT and SIGTERM ask it to stop, from before its first fork to its end.

Theory of operation. asyncio's own handlers come and go with their loop, and the starter has one
for each system that it boots; between two of them a signal would simply kill it. These handlers
stay. In a loop they wake it; while Thespian is being started, which may block for long, they raise
KeyboardInterrupt there. Forked processes get back what they would have had without them.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether somebody asked to stop; who asks twice does not wait."""

    def __init__(self) -> None:
        """To be made in the main thread."""
        self.asked = False
        self._interrupts = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._before = {number: signal.signal(number, self._arrived) for number in SIGNALS}
        os.register_at_fork(after_in_child=self._restore)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _arrived(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            os._exit(128 + signal.SIGINT)  # The lifeline ends the rest.
        self.asked = True
        if self._waiting is not None:
            loop, event = self._waiting
            loop.call_soon_threadsafe(event.set)
        elif self._interrupts:
            raise KeyboardInterrupt

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """In the block a request raises; behind it `asked` tells of it."""
        self._interrupts = True
        try:
            yield
        except KeyboardInterrupt:
            self.asked = True
        finally:
            self._interrupts = False

    @contextmanager
    def waking(self) -> Iterator[asyncio.Event]:
        """In the block, which is in a running loop, a request sets the event."""
        event = asyncio.Event()
        self._waiting = (asyncio.get_running_loop(), event)
        if self.asked:
            event.set()
        try:
            yield event
        finally:
            self._waiting = None

    def close(self) -> None:
        """Signals do again what they did before."""
        self._restore()
