"""What every call has in common that the server answers with a stream."""

from types import TracebackType
from typing import Any, TypeVar

import grpc

from loki.client.error import error_of

S = TypeVar("S", bound="ServerStream")


class ServerStream:
    """Leaving the `with` block, or `cancel`, ends the call."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def header(self, name: str) -> str:
        """Waits until the server took the request; "" if it refused it, or sent no such header."""
        headers = dict(self._call.initial_metadata() or ())
        return str(headers.get(name, ""))

    def read(self) -> Any:
        """The next response. Raises: LokiClientError; StopIteration at the end."""
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise error_of(error) from None

    def cancel(self) -> None:
        """End the call, if it still runs."""
        self._call.cancel()

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.cancel()
