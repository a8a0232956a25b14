"""What the client makes of the log."""

from datetime import UTC, datetime

import pytest

from loki.client.log import LEVELS, LogRecord, LogWatch, level_name, log_request, record_of
from loki.v1 import log_pb2, service_pb2

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)


def proto() -> log_pb2.LogRecord:
    made = log_pb2.LogRecord(
        level=log_pb2.LOG_LEVEL_WARNING,
        actor="hel",
        pid=7,
        execution_id="x1",
        trace_id="t1",
        incident_id="12ab",
        message="hot",
    )
    made.time.FromDatetime(AT)
    return made


RECORD = LogRecord(
    time=AT,
    level="warning",
    actor="hel",
    pid=7,
    execution_id="x1",
    trace_id="t1",
    incident_id="12ab",
    message="hot",
)


def test_a_record_is_plain_python() -> None:
    assert record_of(proto()) == RECORD


def test_each_level_has_its_name_also_one_that_is_new() -> None:
    assert [level_name(number) for number in range(1, 6)] == list(LEVELS)
    assert level_name(6) == "level 6"


def test_a_request_asks_for_what_was_said() -> None:
    assert log_request(
        level="error", actor="hel", execution_id="x1", incident_id="12ab", lines=5, follow=True
    ) == service_pb2.WatchLogsRequest(
        minimum_level=log_pb2.LOG_LEVEL_ERROR,
        actor="hel",
        execution_id="x1",
        incident_id="12ab",
        lines=5,
        follow=True,
    )


@pytest.mark.parametrize(
    ("level", "lines", "complaint"),
    [("awful", 1, "'awful' is none of debug, info"), ("info", -1, "at least 0")],
)
def test_what_no_server_would_take_is_refused_here(level: str, lines: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        log_request(
            level=level, actor="", execution_id="", incident_id="", lines=lines, follow=False
        )


def test_leaving_a_watch_ends_it() -> None:
    class Call:
        cancelled = False

        def __next__(self) -> service_pb2.WatchLogsResponse:
            return service_pb2.WatchLogsResponse(record=proto())

        def cancel(self) -> None:
            self.cancelled = True

    call = Call()
    with LogWatch(call) as watch:
        assert next(watch) == RECORD
    assert call.cancelled
