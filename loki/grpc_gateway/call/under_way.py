"""Which calls a stop waits for: those that were under way when it began, and not for ever."""

import asyncio
from typing import Any, Protocol


class Ending(Protocol):
    """The context of a call."""

    def add_done_callback(self, callback: Any) -> None:
        """Call it when the answer has left, or cannot any more."""


class UnderWay:
    """Counts calls from their begin until their answer has left."""

    def __init__(self) -> None:
        self._count = 0
        self._closed = False
        self._none = asyncio.Event()
        self._none.set()

    def begin(self, context: Ending) -> None:
        """One begins. Without effect after `close`."""
        if self._closed:
            return
        self._count += 1
        self._none.clear()
        context.add_done_callback(self._end)

    def _end(self, _context: Any) -> None:
        self._count -= 1
        if self._count == 0:
            self._none.set()

    def close(self) -> None:
        """Wait for none that begins from now on: clients that ask on and on hold up no stop."""
        self._closed = True

    async def over(self, longest_s: float) -> bool:
        """Wait until none is left; False if that took longer."""
        if self._count == 0:
            return True
        try:
            await asyncio.wait_for(self._none.wait(), longest_s)
        except TimeoutError:
            return False
        return True
