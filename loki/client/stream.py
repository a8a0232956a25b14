"""One streamed execution: its events in order, while it runs."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any

import grpc

from loki.client.error import error_of
from loki.client.event import Event, event_of

EXECUTION_HEADER = "loki-execution-id"


class ExecutionStream(Iterator[Event]):
    """Iterate for the events; leaving the `with` block, or `cancel`, ends the execution."""

    def __init__(self, call: Any) -> None:
        self._call = call

    @property
    def execution_id(self) -> str:
        """Waits until the server took the request; "" if it refused it."""
        headers = dict(self._call.initial_metadata() or ())
        return str(headers.get(EXECUTION_HEADER, ""))

    def __next__(self) -> Event:
        """Raises: LokiClientError for an execution that failed."""
        event = None
        while event is None:
            try:
                event = event_of(next(self._call))
            except grpc.RpcError as error:
                raise error_of(error) from None
        return event

    def cancel(self) -> None:
        """End the execution, if it still runs."""
        self._call.cancel()

    def __enter__(self) -> "ExecutionStream":
        return self

    def __exit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.cancel()
