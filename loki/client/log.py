"""A device's log, as plain Python."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import grpc

from loki.client.error import LokiClientError
from loki.client.server_stream import ServerStream
from loki.client.watch import FIRST_PAUSE_S, LONGEST_PAUSE_S, PATIENCE_S, FollowReport
from loki.v1 import log_pb2, service_pb2

MOST_LINES = 2000
TIME_HEADER = "loki-log-time"
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


class LogWatch(ServerStream, Iterator[LogRecord]):
    """Iterate for the records; leaving the `with` block, or `cancel`, ends the watch."""

    def begin(self) -> datetime | None:
        """Waits until the server begins, and gives its clock then; None when it does not."""
        nanoseconds = self.header(TIME_HEADER)
        return datetime.fromtimestamp(int(nanoseconds) / 1e9, UTC) if nanoseconds else None

    def __next__(self) -> LogRecord:
        """Raises: LokiClientError, also when the server ends."""
        return record_of(self.read().record)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which records somebody wants."""

    level: str = "debug"  # That, and what is worse.
    actor: str = ""
    execution_id: str = ""
    incident_id: str = ""
    lines: int = 100  # Of the newest, to begin with; 2000 at most.
    follow: bool = False
    after: datetime | None = None


def log_request(query: LogQuery) -> service_pb2.WatchLogsRequest:
    """Raises: ValueError for an unknown level, or a number of lines that is none."""
    if query.level not in LEVELS:
        raise ValueError(f"level {query.level!r} is none of {', '.join(LEVELS)}")
    if not 0 <= query.lines < 2**31:
        raise ValueError(f"lines = {query.lines}: must be at least 0")
    request = service_pb2.WatchLogsRequest(
        minimum_level=getattr(log_pb2, f"LOG_LEVEL_{query.level.upper()}"),
        actor=query.actor,
        execution_id=query.execution_id,
        incident_id=query.incident_id,
        lines=query.lines,
        follow=query.follow,
    )
    if query.after is not None:
        request.after.FromDatetime(query.after)
    return request


def follow_log(
    watch: Callable[[LogQuery], LogWatch],
    query: LogQuery,
    report: FollowReport,
    patience_s: float = PATIENCE_S,
) -> Iterator[LogRecord]:
    """Records for ever: where the server goes away, a later watch resumes behind the last record.

    Raises: LokiClientError, at once when there never was a server, later when it stays away for
    `patience_s` seconds or says anything else.
    """
    end_s, pause_s = math.inf, FIRST_PAUSE_S
    connected = False
    while True:
        with watch(query) as records:
            try:
                began = records.begin()
                if began is not None:
                    if end_s != math.inf:
                        report.back()
                    connected, end_s, pause_s = True, math.inf, FIRST_PAUSE_S
                    resume = replace(query, after=query.after or began, lines=MOST_LINES)
                for record in records:
                    resume = replace(resume, after=record.time)
                    yield record
            except LokiClientError as error:
                if error.code is not grpc.StatusCode.UNAVAILABLE or not connected:
                    raise
                if time.monotonic() > end_s:
                    raise
                if end_s == math.inf:
                    report.lost(error)
                    end_s = time.monotonic() + patience_s
            if connected:
                query = resume
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


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
