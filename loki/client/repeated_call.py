"""A call that is answered by a stream, made again until its first response came."""

import threading
from collections.abc import Callable
from typing import Any

import grpc

from loki.client.error import LokiClientError, error_of
from loki.client.retry import Retries


class RepeatedCall:
    """As much of a grpc.Call as streams use; `cancel` may be called by any thread."""

    def __init__(self, begin: Callable[[float | None], Any], retries: Retries) -> None:
        """`begin(timeout_s)` makes the call; it is made again as `retries` has it for any call."""
        self._begin = begin
        self._retries = retries
        self._answered = False
        self._cancelled = threading.Event()
        self._call = begin(retries.left_s())

    def initial_metadata(self) -> Any:
        """Of the latest try: what the server refuses afterwards has some too."""
        return self._call.initial_metadata()

    def __next__(self) -> Any:
        """Raises: grpc.RpcError; LokiClientError where it was refused, and is not made again."""
        while True:
            try:
                response = next(self._call)
            except grpc.RpcError as error:
                if self._answered:
                    raise
                pause_s = self._retries.pause_s(error_of(error))
            else:
                self._answered = True
                return response
            self._again(pause_s)

    def _again(self, pause_s: float) -> None:
        if not self._cancelled.wait(pause_s):
            self._call = self._begin(self._retries.left_s())
        if self._cancelled.is_set():  # Perhaps just before there was this call to cancel.
            self._call.cancel()
            raise LokiClientError("the call was cancelled", code=grpc.StatusCode.CANCELLED)

    def cancel(self) -> None:
        """End it, and make it no more."""
        self._cancelled.set()
        self._call.cancel()
