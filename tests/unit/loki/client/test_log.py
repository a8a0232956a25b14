"""What the client makes of the log, and how it follows it over a loss of the server."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from loki.client import FollowReport, LokiClientError
from loki.client.log import (
    LEVELS,
    MOST_LINES,
    TIME_HEADER,
    LogQuery,
    LogRecord,
    LogWatch,
    follow_log,
    level_name,
    log_request,
    record_of,
)
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
    query = LogQuery(
        level="error", actor="hel", execution_id="x1", incident_id="12ab", lines=5, after=AT
    )
    expected = service_pb2.WatchLogsRequest(
        minimum_level=log_pb2.LOG_LEVEL_ERROR,
        actor="hel",
        execution_id="x1",
        incident_id="12ab",
        lines=5,
    )
    expected.after.FromDatetime(AT)
    assert log_request(query) == expected
    assert not log_request(LogQuery(follow=True)).HasField("after")


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        (LogQuery(level="awful"), "'awful' is none of debug, info"),
        (LogQuery(lines=-1), "at least 0"),
    ],
)
def test_what_no_server_would_take_is_refused_here(query: LogQuery, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        log_request(query)


class Refused(grpc.RpcError):
    """How a call ends."""

    def __init__(self, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "gone"

    def trailing_metadata(self) -> tuple[()]:
        return ()


END = Refused(grpc.StatusCode.PERMISSION_DENIED)


class Call:
    """Gives records that many seconds after AT, then its error; None never begins."""

    def __init__(self, began_s: float | None, *records_s: float, error: Refused) -> None:
        began = None if began_s is None else AT + timedelta(seconds=began_s)
        self._header = () if began is None else ((TIME_HEADER, f"{began.timestamp() * 1e9:.0f}"),)
        self._records = [AT + timedelta(seconds=second) for second in records_s]
        self._error = error
        self.cancelled = False

    def initial_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._header

    def __next__(self) -> service_pb2.WatchLogsResponse:
        if not self._records:
            raise self._error
        record = proto()
        record.time.FromDatetime(self._records.pop(0))
        return service_pb2.WatchLogsResponse(record=record)

    def cancel(self) -> None:
        self.cancelled = True


class Report(FollowReport):
    def __init__(self) -> None:
        self.said: list[str] = []

    def lost(self, error: LokiClientError) -> None:
        self.said.append("lost")

    def back(self) -> None:
        self.said.append("back")


def followed(
    *calls: Call, lines: int = 5, patience_s: float = 60.0
) -> tuple[list[float], list[tuple[float, int]], list[str]]:
    """Seconds of the records, what each watch asked for (after, lines), and what was reported."""
    left, asked, report = list(calls), list[tuple[float, int]](), Report()

    def watch(query: LogQuery) -> LogWatch:
        after_s = -1.0 if query.after is None else (query.after - AT).total_seconds()
        asked.append((after_s, query.lines))
        return LogWatch(left.pop(0))

    seen: list[float] = []
    records = follow_log(watch, LogQuery(lines=lines, follow=True), report, patience_s)
    with pytest.raises(LokiClientError):
        seen.extend((record.time - AT).total_seconds() for record in records)
    assert not left
    assert all(call.cancelled for call in calls)
    return seen, asked, report.said


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr("loki.client.log.time.sleep", made.append)
    return made


def test_following_goes_on_behind_the_last_record() -> None:
    seen, asked, said = followed(
        Call(9, 1, 2, error=Refused()),
        Call(None, error=Refused()),
        Call(20, 11, 12, error=Refused()),
        Call(30, error=END),
    )
    assert seen == [1, 2, 11, 12]
    assert asked == [(-1, 5), (2, MOST_LINES), (2, MOST_LINES), (12, MOST_LINES)]
    assert said == ["lost", "back", "lost", "back"]


def test_without_a_record_it_goes_on_from_when_it_began() -> None:
    _, asked, _ = followed(Call(9, error=Refused()), Call(20, error=END), lines=0)
    assert asked == [(-1, 0), (9, MOST_LINES)]


def test_a_server_that_was_never_there_is_not_waited_for() -> None:
    assert followed(Call(None, error=Refused())) == ([], [(-1, 5)], [])


def test_one_that_stays_away_ends_it_at_last() -> None:
    _, _, said = followed(Call(9, error=Refused()), Call(None, error=Refused()), patience_s=-1.0)
    assert said == ["lost"]


def test_it_is_asked_less_and_less_often(pauses: list[float]) -> None:
    away = [Call(None, error=Refused()) for _ in range(8)]
    followed(Call(9, error=Refused()), *away, Call(10, error=END))
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert max(pauses) == 1.0


def test_leaving_a_watch_ends_it() -> None:
    call = Call(9, 1, error=END)
    with LogWatch(call) as watch:
        assert watch.begin() == AT + timedelta(seconds=9)
        assert next(watch).message == "hot"
    assert call.cancelled
