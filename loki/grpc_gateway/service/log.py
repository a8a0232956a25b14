"""The log as clients see it: what they ask for, and the records that go out."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from loki.actors.door.role import Shell
from loki.actors.log.log_file import LogFile
from loki.actors.log.log_tail import LogTail
from loki.core.log_record import LEVELS, LogFilter, LogRecord
from loki.errors import ErrorCode, ResourceLimitExceeded, ServiceUnavailable
from loki.grpc_gateway.convert.field import count_of, enum_of, time_ns
from loki.messages.log import LogConfig
from loki.v1 import log_pb2, service_pb2

LEVEL_OF_NUMBER = {log_pb2.LogLevel.Value(f"LOG_LEVEL_{level}"): level for level in LEVELS}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_LINES = 2000
TIME_HEADER = "loki-log-time"
MOST_FOLLOWERS = 32
POLL_S = 0.25
"""How often a file is looked at while somebody follows it: a file tells nobody that it grew."""

T = TypeVar("T")


class Log:
    """Every reader of this gateway. The disk is read in a thread of its own."""

    def __init__(self, shell: Shell, config: LogConfig) -> None:
        self._shell = shell
        self._file = LogFile(config)
        self._worker: Executor | None = None
        self._followers = 0
        self._closing = asyncio.Event()

    async def records(
        self, request: service_pb2.WatchLogsRequest
    ) -> AsyncGenerator[LogRecord, None]:
        """Raises: LokiError for a request that cannot be served, and at the gateway's end."""
        tail = LogTail(self._file, filter_of(request))
        self._begin(request.follow)
        try:
            for record in await self._read(tail.last, lines_of(request)):
                yield record
            while request.follow:
                records, more = await self._read(tail.fresh)
                for record in records:
                    yield record
                if not more:
                    await self._pause()
        finally:
            tail.close()
            self._followers -= request.follow

    def _begin(self, follow: bool) -> None:
        if follow and self._followers >= MOST_FOLLOWERS:
            raise ResourceLimitExceeded(
                f"{MOST_FOLLOWERS} clients follow the log already", code=ErrorCode.QUOTA
            )
        self._followers += follow
        self._worker = self._worker or self._shell.worker("log")

    async def _read(self, read: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, read, *given)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), POLL_S)
        except TimeoutError:
            return
        raise ServiceUnavailable("Loki is stopping", code=ErrorCode.DRAINING)

    def close(self) -> None:
        """Who follows is told that it is over."""
        self._closing.set()


def filter_of(request: service_pb2.WatchLogsRequest) -> LogFilter:
    """Raises: InvalidArgument."""
    return LogFilter(
        level=enum_of(request, "minimum_level", LEVEL_OF_NUMBER) or LEVELS[0],
        actor=request.actor,
        execution=request.execution_id,
        incident=request.incident_id,
        after=after_of(request),
    )


def after_of(request: service_pb2.WatchLogsRequest) -> datetime | None:
    """Raises: InvalidArgument."""
    after_ns = time_ns(request, "after")
    return None if after_ns is None else EPOCH + timedelta(microseconds=after_ns // 1000)


def lines_of(request: service_pb2.WatchLogsRequest) -> int:
    """Raises: InvalidArgument."""
    return min(count_of(request, "lines"), MOST_LINES)


def response(record: LogRecord) -> service_pb2.WatchLogsResponse:
    made = service_pb2.WatchLogsResponse()
    made.record.time.FromDatetime(record.time)
    made.record.level = getattr(log_pb2, f"LOG_LEVEL_{record.level}")
    made.record.actor = record.actor
    made.record.pid = record.pid
    made.record.execution_id = record.execution
    made.record.trace_id = record.trace
    made.record.incident_id = record.incident
    made.record.message = record.message
    return made
