"""The actor's event loop inside Thespian's: lanes and timers served between its own sockets.

Theory of operation. Thespian 4.0.1 makes a selector, registers its sockets, selects and closes it,
once per turn of its loop, and finds the class by the module attribute `selectors`. `install`
replaces that attribute. Our selector polls Thespian's sockets and the process's lanes together and
serves lanes until something of Thespian's own is ready, or until a lane's handler used Thespian,
which then has to look at its sockets anew. Serving a lane costs a tenth of a Thespian wake-up.

A poll object lives for one select: Thespian closes descriptors and opens others under the same
number between two of them, which an epoll set would not notice.
"""

import errno
import heapq
import os
import select
import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from loki.actors.base.stack import on_a_piece_of_its_own

Poll = select.poll
READ = select.POLLIN | select.POLLHUP | select.POLLERR
WRITE = select.POLLOUT | select.POLLERR | select.POLLHUP
SWEEP_AT_LEAST = 100
LONGEST_WAIT_S = 3600.0  # poll(2) counts milliseconds in 32 bits.


class InlineTimer:
    """One call at one time; cancelled by forgetting the call."""

    __slots__ = ("_loop", "action", "when")

    def __init__(self, loop: "InlineLoop", when: float, action: Callable[[], Any]) -> None:
        self._loop = loop
        self.when = when
        self.action: Callable[[], Any] | None = action

    def cancel(self) -> None:
        if self.action is not None:
            self.action = None
            self._loop.timer_cancelled()

    def take(self) -> Callable[[], Any] | None:
        """What to call now; it cannot be cancelled any more."""
        action, self.action = self.action, None
        return action

    def __lt__(self, other: "InlineTimer") -> bool:
        return self.when < other.when


class InlineLoop:
    """The `Poller` of an actor whose lanes are served in Thespian's select. One per process."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], Any]] = {}
        self.writers: dict[int, Callable[[], Any]] = {}
        self.version = 0  # Grows with every change of the two tables.
        self.used_thespian = False
        self.serving = False
        self.thespian: Mapping[int, int] = {}  # What its last selector watched, by descriptor.
        self._timers: list[InlineTimer] = []
        self._cancelled = 0  # Of the timers, and counted only since they were last swept.
        self._from_threads: deque[Callable[[], Any]] = deque()
        self._wake_fd = -1

    def add_reader(self, fd: int, callback: Callable[[], Any]) -> None:
        self.readers[fd] = callback
        self.version += 1

    def remove_reader(self, fd: int) -> None:
        if self.readers.pop(fd, None) is not None:
            self.version += 1

    def add_writer(self, fd: int, callback: Callable[[], Any]) -> None:
        self.writers[fd] = callback
        self.version += 1

    def remove_writer(self, fd: int) -> None:
        if self.writers.pop(fd, None) is not None:
            self.version += 1

    def call_later(self, delay: float, callback: Callable[[], Any]) -> InlineTimer:
        timer = InlineTimer(self, time.monotonic() + delay, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def timer_cancelled(self) -> None:
        """Requests are answered long before their deadlines: those timers must not pile up."""
        self._cancelled += 1
        if self._cancelled > SWEEP_AT_LEAST and self._cancelled > len(self._timers) // 2:
            self._timers = [timer for timer in self._timers if timer.action is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def call_soon_threadsafe(self, callback: Callable[[], Any]) -> None:
        """The one method that other threads may call, after `listen_to_threads`."""
        self._from_threads.append(callback)
        os.eventfd_write(self._wake_fd, 1)

    def listen_to_threads(self) -> None:
        """Called once by the loop's own thread, before any other thread needs it."""
        if self._wake_fd < 0:
            self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self.add_reader(self._wake_fd, self._run_from_threads)

    def _run_from_threads(self) -> None:
        """What comes meanwhile waits for the next turn: each call has written to the eventfd."""
        os.eventfd_read(self._wake_fd)
        for _ in range(len(self._from_threads)):
            self._from_threads.popleft()()

    def forget(self) -> None:
        """In a forked child: nothing of the parent's loop is ours."""
        if self._wake_fd >= 0:
            os.close(self._wake_fd)
        self.__init__()  # type: ignore[misc]  # The one object that Thespian's selectors share.

    def run_due_timers(self) -> float | None:
        """Run what is due now; seconds until the next timer, or None.

        What becomes due meanwhile waits for the next turn, so that lanes get theirs.
        """
        now = time.monotonic()
        while self._timers:
            timer = self._timers[0]
            if timer.action is not None and timer.when > now:
                return min(max(0.0, timer.when - time.monotonic()), LONGEST_WAIT_S)
            heapq.heappop(self._timers)
            action = timer.take()
            if action is not None:
                action()
        return None

    def serve(self, fd: int, events: int) -> None:
        """Call who watches `fd`, unless a handler before it stopped watching."""
        if events & READ and (reader := self.readers.get(fd)) is not None:
            reader()
        if events & WRITE and (writer := self.writers.get(fd)) is not None:
            writer()


LOOP = InlineLoop()
os.register_at_fork(after_in_child=LOOP.forget)


class LaneSelector:
    """Stands in for `selectors.DefaultSelector` inside Thespian's TCP transport."""

    def __init__(self) -> None:
        self._interest: dict[int, int] = {}

    def register(self, fd: int, events: int, _data: object = None) -> None:
        if fd < 0:
            raise ValueError(f"Invalid file descriptor: {fd}")
        mask = select.POLLIN if events & selectors.EVENT_READ else 0
        mask |= select.POLLOUT if events & selectors.EVENT_WRITE else 0
        self._interest[fd] = self._interest.get(fd, 0) | mask

    def close(self) -> None:
        self._interest = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As `selectors.BaseSelector.select`; serves lanes and timers meanwhile.

        Raises: OSError(EBADF) for a descriptor of Thespian's that is not open.
        """
        if LOOP.serving:
            return self._select_thespian_only(timeout)
        LOOP.serving = True
        try:
            return self._select(timeout)
        finally:
            LOOP.serving = False

    def _select_thespian_only(
        self, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Thespian's own loop, entered again by a lane's handler: no handler inside a handler."""
        poll = select.poll()
        for fd, mask in self._interest.items():
            poll.register(fd, mask)
        events = poll.poll(None if timeout is None else max(0, timeout) * 1000)
        return [self._key(fd, event) for fd, event in events]

    @on_a_piece_of_its_own
    def _select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        end = None if timeout is None else time.monotonic() + timeout
        version = -1
        LOOP.used_thespian = False
        LOOP.thespian = self._interest
        while True:
            wait = LOOP.run_due_timers()
            if LOOP.used_thespian:
                wait = 0.0
            if version != LOOP.version:
                poll, version = self._poll(), LOOP.version
            if end is not None:
                left = end - time.monotonic()
                wait = left if wait is None else min(wait, left)
            ready = []
            for fd, events in poll.poll(None if wait is None else max(0.0, wait) * 1000):
                if fd in self._interest:
                    ready.append(self._key(fd, events))
                else:
                    LOOP.serve(fd, events)
            if ready or LOOP.used_thespian:
                return ready
            if end is not None and time.monotonic() >= end:
                return []

    def _poll(self) -> Poll:
        poll = select.poll()
        for fd in LOOP.readers.keys() | LOOP.writers.keys():
            mask = select.POLLIN if fd in LOOP.readers else 0
            poll.register(fd, mask | (select.POLLOUT if fd in LOOP.writers else 0))
        for fd, mask in self._interest.items():
            poll.register(fd, mask)
        return poll

    @staticmethod
    def _key(fd: int, events: int) -> tuple[selectors.SelectorKey, int]:
        if events & select.POLLNVAL:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        mask = selectors.EVENT_READ if events & READ else 0
        mask |= selectors.EVENT_WRITE if events & WRITE else 0
        return selectors.SelectorKey(fd, fd, mask, None), mask


class _Selectors:
    """What Thespian's TCP transport uses of the module `selectors`."""

    EVENT_READ = selectors.EVENT_READ
    EVENT_WRITE = selectors.EVENT_WRITE
    DefaultSelector = LaneSelector


def install() -> None:
    """Let Thespian's TCP transport of this process, and of those it forks, serve lanes."""
    from thespian.system.transport import TCPTransport

    TCPTransport.selectors = _Selectors
