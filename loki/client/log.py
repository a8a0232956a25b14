"""A device's log, as plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import grpc

from loki.client.error import error_of
from loki.v1 import log_pb2, service_pb2

LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One event of the log. Ids are "" where there is none."""

    time: datetime  # The device's clock, UTC.
    level: str  # One of LEVELS.
    actor: str  # The part of Loki that speaks.
    pid: int
    execution_id: str
    trace_id: str
    incident_id: str
    message: str


class LogWatch(Iterator[LogRecord]):
    """Iterate for the records; leaving the `with` block, or `cancel`, ends the watch."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __next__(self) -> LogRecord:
        """Raises: LokiClientError, also when the server ends."""
        try:
            return record_of(next(self._call).record)
        except grpc.RpcError as error:
            raise error_of(error) from None

    def cancel(self) -> None:
        """End the watch."""
        self._call.cancel()

    def __enter__(self) -> "LogWatch":
        return self

    def __exit__(
        self,
        _class: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.cancel()


def log_request(
    *, level: str, actor: str, execution_id: str, incident_id: str, lines: int, follow: bool
) -> service_pb2.WatchLogsRequest:
    """Raises: ValueError for an unknown level, or a number of lines that is none."""
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join(LEVELS)}")
    if not 0 <= lines < 2**31:
        raise ValueError(f"lines = {lines}: must be at least 0")
    return service_pb2.WatchLogsRequest(
        minimum_level=getattr(log_pb2, f"LOG_LEVEL_{level.upper()}"),
        actor=actor,
        execution_id=execution_id,
        incident_id=incident_id,
        lines=lines,
        follow=follow,
    )


def record_of(record: log_pb2.LogRecord) -> LogRecord:
    return LogRecord(
        time=record.time.ToDatetime(UTC),
        level=level_name(record.level),
        actor=record.actor,
        pid=record.pid,
        execution_id=record.execution_id,
        trace_id=record.trace_id,
        incident_id=record.incident_id,
        message=record.message,
    )


def level_name(level: int) -> str:
    """Also of a level that a newer server has."""
    return LEVELS[level - 1] if 1 <= level <= len(LEVELS) else f"level {level}"
