"""One streamed execution: its events in order, while it runs."""

from collections.abc import Iterator

from loki.client.event import Event, event_of
from loki.client.server_stream import ServerStream

EXECUTION_HEADER = "loki-execution-id"


class ExecutionStream(ServerStream, Iterator[Event]):
    """Iterate for the events; leaving the `with` block, or `cancel`, ends the execution."""

    @property
    def execution_id(self) -> str:
        """Waits until the server took the request; "" if it refused it.

        Before the first event it may be that of a try that is refused, and made again.
        """
        return self.header(EXECUTION_HEADER)

    def __next__(self) -> Event:
        """Raises: LokiClientError for an execution that failed."""
        event = None
        while event is None:
            event = event_of(self.read())
        return event
