"""The starter's signals: SIGINT and SIGTERM ask it to stop, from before its first fork to its end.

Theory of operation. asyncio's own handlers come and go with their loop, and the starter has one
for each system that it boots; between two of them a signal would simply kill it. These handlers
stay. In a loop they wake it. While Thespian is being started there is none: that takes a moment,
and the request is seen behind it. Only where it takes longer, because something in it hangs, does
an alarm raise KeyboardInterrupt there. Forked processes have none of this.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_S = 1.0


class StopRequest:
    """Whether somebody asked to stop; who asks twice does not wait."""

    def __init__(self) -> None:
        """To be made in the main thread."""
        self.asked = False
        self._interrupts = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._before = {number: signal.signal(number, self._arrived) for number in SIGNALS}
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._overdue)
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
            signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def _overdue(self, _number: int, _frame: FrameType | None) -> None:
        if self._interrupts:
            raise KeyboardInterrupt

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """In the block, which may block, a request ends it in a while; `asked` tells of it."""
        self._interrupts = True
        try:
            yield
        except KeyboardInterrupt:
            self.asked = True
        finally:
            self._interrupts = False
            signal.setitimer(signal.ITIMER_REAL, 0)

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
