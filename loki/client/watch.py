"""A watch of system events, and one that goes on when the server was away."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from loki.client.error import LokiClientError
from loki.client.server_stream import ServerStream
from loki.client.system_event import SystemEvent, system_event_of
from loki.v1 import event_pb2, service_pb2

PATIENCE_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


class EventWatch(ServerStream, Iterator[SystemEvent]):
    """Iterate for the events; leaving the `with` block, or `cancel`, ends the watch."""

    def __init__(self, call: Any, after_sequence: int = 0, log_id: str = "") -> None:
        """`after_sequence` and `log_id` are those that the call asked for."""
        super().__init__(call)
        self._asked_log_id = log_id
        self._started: event_pb2.WatchStarted | None = None
        self._recent_read = 0
        self.sequence = after_sequence
        """Of the newest event that this watch gave, or began after."""
        self.left_out = 0
        """Events that were lost so far because they were not read in time."""

    def start(self) -> event_pb2.WatchStarted:
        """Waits until the server watches for us. Raises: LokiClientError."""
        if self._started is None:
            self._started = self._read().started
            if self._started.recent == 0:
                self.sequence = self._started.sequence
            elif self._started.log_id != self._asked_log_id:
                self.sequence = 0
        return self._started

    @property
    def log_id(self) -> str:
        """Names the log that `sequence` counts in."""
        return self.start().log_id

    def __next__(self) -> SystemEvent:
        """Raises: LokiClientError when the watch ends."""
        self.start()
        event = None
        while event is None:
            event = self._event()
        return event

    def recent(self) -> Iterator[SystemEvent]:
        """Those of the events that had happened before the watch began; then it ends."""
        while self._recent_read < self.start().recent:
            event = self._event()
            if event is not None:
                yield event

    def _event(self) -> SystemEvent | None:
        """None for one that we do not know."""
        response = self._read()
        self._recent_read += 1
        self.sequence = response.event.sequence
        self.left_out += response.left_out
        return system_event_of(response.event)

    def _read(self) -> service_pb2.WatchEventsResponse:
        try:
            response: service_pb2.WatchEventsResponse = self.read()
        except StopIteration:
            raise LokiClientError(
                "the server ended the watch", code=grpc.StatusCode.UNAVAILABLE
            ) from None
        return response


class FollowReport:
    """What one may want to know while following; a subclass says it to people."""

    def lost(self, error: LokiClientError) -> None:
        """The server went away; it is looked for from now on."""

    def back(self) -> None:
        """The server is there again."""

    def missed(self, events: int) -> None:
        """So many events were not read in time; 0 is an unknown number that the log forgot."""


Open = Callable[[int, str], EventWatch]
"""Begins a watch after that sequence number of that log."""


def follow(
    open_watch: Open, report: FollowReport, patience_s: float = PATIENCE_S
) -> Iterator[SystemEvent]:
    """Events for ever: where a watch ends as the server goes away, the next one resumes it.

    Raises: LokiClientError, at once for a first watch that cannot begin, later when the server
    stays away for `patience_s` seconds, or says anything else than that it is not there.
    """
    watch = open_watch(0, "")
    watch.start()
    while True:
        with watch:
            try:
                yield from _counted(watch, report)
            except LokiClientError as error:
                if error.code is not grpc.StatusCode.UNAVAILABLE:
                    raise
                report.lost(error)
        watch = _reopened(open_watch, watch, patience_s)
        report.back()
        if watch.start().incomplete:
            report.missed(0)


def _counted(watch: EventWatch, report: FollowReport) -> Iterator[SystemEvent]:
    known = 0
    for event in watch:
        if watch.left_out > known:
            report.missed(watch.left_out - known)
            known = watch.left_out
        yield event


def _reopened(open_watch: Open, before: EventWatch, patience_s: float) -> EventWatch:
    """Raises: LokiClientError."""
    end_s = time.monotonic() + patience_s
    pause_s = FIRST_PAUSE_S
    while True:
        watch = open_watch(before.sequence, before.log_id)
        try:
            watch.start()
        except LokiClientError as error:
            if error.code is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > end_s:
                raise
        else:
            return watch
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
