"""What the client makes of time series."""

from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from loki.client import LokiClient, LokiClientError, Row, Series, SeriesQuery, Window
from loki.errors import ErrorCode, IoError, ServiceUnavailable
from loki.messages.series import (
    MIN_NS,
    AggregateRows,
    EraseSeries,
    ListAllSeries,
    ReadRows,
    RowsRead,
    SeriesEntry,
    SeriesErased,
    SeriesPage,
    WindowsAggregated,
)
from tests.unit.loki.conftest import FakeShell, Hosted

S_NS = 1_000_000_000
AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
AT_NS = 1_767_323_045_678_000_000


@pytest.fixture
def client(shell: FakeShell, host: Callable[..., Hosted]) -> Iterator[LokiClient]:
    with LokiClient(host(shell, keeper="hel").address, patience_s=0) as client:
        yield client


def entry(name: str, newest_ns: int | None = None) -> SeriesEntry:
    return SeriesEntry(
        script="trend",
        name=name,
        rows=1,
        oldest_ns=newest_ns,
        newest_ns=newest_ns,
        size_bytes=2,
        attributes={"unit": "V"} if newest_ns else {},
    )


def test_all_pages_are_listed(shell: FakeShell, client: LokiClient) -> None:
    pages = {
        "": SeriesPage(series=(entry("a"),), next_page="trend/a"),
        "trend/a": SeriesPage(series=(entry("b", AT_NS),)),
    }
    shell.answers[ListAllSeries] = lambda request: pages[request.page]
    first, second = client.series.find("tr*")
    assert first == Series(
        script="trend",
        name="a",
        rows=1,
        first=None,
        last=None,
        size_bytes=2,
        unit="",
        attributes={},
    )
    assert (second.first, second.last, second.unit) == (AT, AT, "V")
    assert second.attributes == {"unit": "V"}


def test_rows_are_batches_of_columns(shell: FakeShell, client: LokiClient) -> None:
    shell.answers[ReadRows] = lambda _: RowsRead(
        times_ns=array("q", [AT_NS, AT_NS + S_NS]).tobytes(),
        values=array("d", [0.5, 1.5]).tobytes(),
        qualities=b"\0\7",
    )
    east = timezone(timedelta(hours=2))
    query = SeriesQuery(start=AT.astimezone(east), limit=5, newest=True)
    with client.series.read("trend", "a", query) as batches:
        (batch,) = batches
    assert len(batch) == 2
    assert list(batch) == [Row(AT, 0.5, 0), Row(AT + timedelta(seconds=1), 1.5, 7)]
    ((_, asked, _),) = shell.sent(ReadRows)
    assert (asked.start_ns, asked.limit, asked.newest) == (AT_NS, 5, True)


def test_rows_wait_for_the_child_that_restarts(shell: FakeShell, client: LokiClient) -> None:
    answers = [
        ServiceUnavailable("hel restarts"),
        RowsRead(
            times_ns=array("q", [AT_NS]).tobytes(),
            values=array("d", [0.5]).tobytes(),
            qualities=b"\0",
        ),
    ]

    def answer(_: ReadRows) -> RowsRead:
        found = answers.pop(0)
        if isinstance(found, ServiceUnavailable):
            raise found
        return found

    shell.answers[ReadRows] = answer
    with client.series.read("trend", "a", patience_s=60) as batches:
        assert [row for batch in batches for row in batch] == [Row(AT, 0.5, 0)]
    answers.append(ServiceUnavailable("hel restarts"))
    with pytest.raises(LokiClientError, match="hel restarts"):
        list(client.series.read("trend", "a"))


def test_numbers_of_windows(shell: FakeShell, client: LokiClient) -> None:
    shell.answers[AggregateRows] = lambda _: WindowsAggregated(
        starts_ns=array("q", [AT_NS]).tobytes(),
        values=array("d", [0.5]).tobytes(),
        counts=array("q", [3]).tobytes(),
    )
    assert client.series.aggregate("trend", "a", "p95", every_s=60) == [
        Window(start=AT, value=0.5, count=3)
    ]
    ((_, asked, _),) = shell.sent(AggregateRows)
    assert (asked.statistic, asked.every_s, asked.start_ns) == ("p95", 60.0, MIN_NS)


def test_a_series_is_removed(shell: FakeShell, client: LokiClient) -> None:
    shell.answers[EraseSeries] = lambda _: SeriesErased(rows=7)
    assert client.series.remove("trend", "a") == 7
    ((_, asked, _),) = shell.sent(EraseSeries)
    assert (asked.script, asked.name) == ("trend", "a")


def test_a_missing_series_is_an_error_of_ours(shell: FakeShell, client: LokiClient) -> None:
    def missing(_request: ReadRows) -> RowsRead:
        raise IoError("there is no series 'x'", code=ErrorCode.NOT_FOUND)

    shell.answers[ReadRows] = missing
    with pytest.raises(LokiClientError, match="no series 'x'") as raised:
        next(client.series.read("trend", "x"))
    assert raised.value.reason == "NOT_FOUND"
