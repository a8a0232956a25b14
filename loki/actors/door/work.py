"""What an actor has under way beside its mailbox: timers, threads and tasks, which end with it."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from loki.actors.door.poller import Poller
from loki.actors.door.role import Timer


class Work:
    """Of one actor. What comes of it is run in the actor's own thread, by `guard`."""

    def __init__(self, name: str, poller: Poller, guard: Callable[..., None]) -> None:
        self._name = name
        self._poller = poller
        self._guard = guard
        self._workers: list[ThreadPoolExecutor] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        return self._poller.call_later(delay_s, lambda: self._due(action))

    def _due(self, action: Callable[[], None]) -> None:
        if not self._closed:
            self._guard(action)

    def worker(self, name: str) -> Executor:
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{self._name}-{name}")
        self._workers.append(executor)
        return executor

    def own(self, promise: "Future[Any] | asyncio.Task[Any]") -> None:
        """A task is cancelled at the end."""
        if isinstance(promise, asyncio.Task):
            self._tasks.add(promise)
            promise.add_done_callback(self._tasks.discard)

    def mind(self, promise: "Future[Any] | asyncio.Task[Any]") -> None:
        self.own(promise)
        promise.add_done_callback(lambda done: self.in_time(lambda: self._guard(done.result)))

    def in_time(self, action: Callable[[], None]) -> None:
        """From any thread: run it in the actor's own."""
        with contextlib.suppress(RuntimeError):  # The loop is closed, and nobody waits any more.
            self._poller.call_soon_threadsafe(action)

    def close(self, *, wait: bool) -> None:
        """Threads finish what they have begun, also before this returns if it is to `wait`."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for worker in self._workers:
            worker.shutdown(wait=wait, cancel_futures=True)
