"""Requests and values read and made: large ones in a thread, so that others are answered meanwhile.

Theory of operation. A request of 4 MiB may hold a million numbers, and takes a second or more to
become Python values; a gateway that answers nobody for so long is taken for hung. Threads take
turns every few milliseconds. There is one, so that large values wait for each other only.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import ParamSpec, TypeVar

from loki.actors.door.role import Shell

P = ParamSpec("P")
T = TypeVar("T")

LARGE_BYTES = 32 * 1024
"""What is smaller takes some milliseconds at most, and no thread."""


class Bulk:
    """Of one gateway."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._worker: Executor | None = None

    async def convert(
        self, size_bytes: int, convert: Callable[P, T], *given: P.args, **named: P.kwargs
    ) -> T:
        """What `convert` makes of a value of that size, or raises."""
        if size_bytes <= LARGE_BYTES:
            return convert(*given, **named)
        self._worker = self._worker or self._shell.worker("values")
        work = partial(convert, *given, **named)
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)
