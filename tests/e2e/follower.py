"""Follows the events of a Loki through all its deaths, in a thread of its own."""

import threading
from types import TracebackType

from loki.client import ChildChanged, LokiClientError
from loki.testing import LokiServer


class Follower:
    """`ups` are the parts that came up while the `with` block ran, in the order of the events."""

    def __init__(self, server: LokiServer) -> None:
        self.ups: list[ChildChanged] = []
        self._client = server.client()
        self._over = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            for event in self._client.follow_events(["child"]):
                if isinstance(event, ChildChanged) and event.state == "up":
                    self.ups.append(event)
        except (LokiClientError, ValueError) as error:  # ValueError: the client is closed.
            if not self._over.is_set():
                self._error = error

    def recovery_s(self, part: str, pid: int, hit_s: float) -> float | None:
        """From a hit, in seconds since 1970, until its successor was up."""
        return next(
            (
                up.time.timestamp() - hit_s
                for up in self.ups
                if up.child == part and up.pid != pid and up.time.timestamp() > hit_s
            ),
            None,
        )

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Raises: what ended the watch before its time."""
        self._over.set()
        self._client.close()
        self._thread.join()
        if self._error is not None:
            raise self._error
