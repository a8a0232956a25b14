"""What every call of the asynchronous client has in common that is answered with a stream."""

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

import grpc

from loki.client.error import error_of

T = TypeVar("T")
S = TypeVar("S", bound="AsyncServerStream")


class AsyncServerStream:
    """Leaving the `async with` block, or `cancel`, ends the call."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def header(self, name: str) -> str:
        """Waits until the server took the request; "" if it refused it, or sent no such header."""
        headers = dict(await self._call.initial_metadata() or ())
        return str(headers.get(name, ""))

    async def read(self) -> Any:
        """The next response. Raises: LokiClientError; StopAsyncIteration at the end."""
        try:
            response = await self._call.read()
        except grpc.RpcError as error:
            raise error_of(error) from None
        if response is grpc.aio.EOF:  # type: ignore[attr-defined]  # Not in the stubs.
            raise StopAsyncIteration
        return response

    def cancel(self) -> None:
        """End the call, if it still runs."""
        if self._call is not None:
            self._call.cancel()

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.cancel()


class AsyncEvents(AsyncServerStream, AsyncIterator[T], Generic[T]):
    """A stream of what its responses mean; of some, perhaps, nothing."""

    def __init__(self, call: Any, meaning: Callable[[Any], T | None]) -> None:
        super().__init__(call)
        self._meaning = meaning

    async def __anext__(self) -> T:
        """Raises: LokiClientError."""
        while (event := self._meaning(await self.read())) is None:
            pass
        return event
