"""As `repeated_call`, for one event loop."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc

from loki.client.error import error_of
from loki.client.retry import Retries


class AsyncRepeatedCall:
    """As much of a grpc.aio.Call as streams use."""

    def __init__(self, begin: Callable[[float | None], Any], retries: Retries) -> None:
        """As RepeatedCall; within a running event loop."""
        self._begin = begin
        self._retries = retries
        self._answered = False
        self._cancelled = asyncio.Event()
        self._call = begin(retries.left_s())

    async def initial_metadata(self) -> Any:
        """Of the latest try: what the server refuses afterwards has some too."""
        return await self._call.initial_metadata()

    async def read(self) -> Any:
        """Raises: as RepeatedCall; CancelledError where it was cancelled, as gRPC's own does."""
        while True:
            try:
                response = await self._call.read()
            except grpc.RpcError as error:
                if self._answered:
                    raise
                pause_s = self._retries.pause_s(error_of(error))
            else:
                self._answered = True
                return response
            await self._again(pause_s)

    async def _again(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._cancelled.wait(), pause_s)
        if self._cancelled.is_set():
            raise asyncio.CancelledError("the call was cancelled")
        self._call = self._begin(self._retries.left_s())

    def cancel(self) -> None:
        """End it, and make it no more."""
        self._cancelled.set()
        self._call.cancel()
