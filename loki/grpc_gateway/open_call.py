"""The calls that are under way, and whose they are: they end with the rights they began with."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from loki.core.credential import refusal
from loki.core.principal import Principal


class OpenCalls:
    """Of one gateway. A call that goes on, such as a watch, could outlive its caller's token."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Task[Any], tuple[Principal, Any]] = {}
        self._ended: set[asyncio.Task[Any]] = set()

    @contextmanager
    def entry(self, principal: Principal, context: Any) -> Iterator[None]:
        """Around a call, in its task. Raises: PermissionRefused where `end` ended it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # gRPC runs each call in one.
        self._open[task] = (principal, context)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._ended:
                raise  # The client left.
            task.uncancel()
            raise refusal("the credentials of this call do not hold any more") from None
        finally:
            del self._open[task]
            self._ended.discard(task)

    def end(self, holds: Callable[[Principal, Any], bool]) -> None:
        """End each call for whose principal and context that is not so."""
        for task, (principal, context) in self._open.items():
            if not holds(principal, context):
                self._ended.add(task)
                task.cancel()
