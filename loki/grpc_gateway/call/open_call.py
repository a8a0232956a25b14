"""The calls that are under way, and whose they are: they end with the rights they began with.

Theory of operation. A call is ended by cancelling its task, which then tells its client why. In the
middle of a write that cannot be told: gRPC sends one thing at a time, and would answer UNKNOWN. So
a write that is under way is waited for, and the call ends behind it; but not for ever, for a client
that reads nothing would keep its call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from loki.core.access.credential import refusal
from loki.core.access.principal import Principal
from loki.errors import LokiError

PATIENCE_S = 5.0
"""So long a client may take to read what is being written when its call is ended."""


class OpenCall:
    """The context of one call, as its behaviour has it."""

    def __init__(self, principal: Principal, context: Any, task: "asyncio.Task[Any]") -> None:
        self._principal = principal
        self._context = context
        self._task = task
        self._sending = False
        self._ended = False
        self.cut = False
        """Whether it was ended by a cancellation of its task."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Raises: PermissionRefused where it was ended meanwhile."""
        await self._send(self._context.write(message))

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Raises: PermissionRefused where it was ended meanwhile."""
        await self._send(self._context.send_initial_metadata(metadata))

    async def _send(self, sent: Awaitable[None]) -> None:
        self._sending = True
        try:
            await sent
        finally:
            self._sending = False
        if self._ended:
            raise over()

    def end_unless(self, holds: Callable[[Principal, Any], bool]) -> None:
        """End it where that is not so for its principal and context."""
        if self._ended or holds(self._principal, self._context):
            return
        self._ended = True
        if self._sending:
            asyncio.get_running_loop().call_later(PATIENCE_S, self._cut_sending)
        else:
            self._cut()

    def _cut_sending(self) -> None:
        if self._sending:
            self._cut()

    def _cut(self) -> None:
        self.cut = True
        self._task.cancel()


class OpenCalls:
    """Of one gateway. A call that goes on, such as a watch, could outlive its caller's token."""

    def __init__(self) -> None:
        self._open: set[OpenCall] = set()

    @contextmanager
    def entry(self, principal: Principal, context: Any) -> Iterator[Any]:
        """Around a call, in its task; gives the context that its behaviour is to use.

        Raises: PermissionRefused where `end` ended it.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # gRPC runs each call in one.
        call = OpenCall(principal, context, task)
        self._open.add(call)
        try:
            yield call
        except asyncio.CancelledError:
            if not call.cut:
                raise  # The client left.
            task.uncancel()
            raise over() from None
        finally:
            self._open.discard(call)

    def end(self, holds: Callable[[Principal, Any], bool]) -> None:
        """End each call for whose principal and context that is not so."""
        for call in tuple(self._open):
            call.end_unless(holds)


def over() -> LokiError:
    return refusal("the credentials of this call do not hold any more")
