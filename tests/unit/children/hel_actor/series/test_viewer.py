"""What the gateway asks about time series, through Hel's role with its threads."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Event
from typing import Any

import numpy as np
import pytest
from hel_actor import namespace
from hel_actor.messages import AppendSamples, DescribeSeries
from hel_actor.series import viewer

from loki.child import Run
from loki.errors import (
    ErrorCode,
    InvalidArgument,
    IoError,
    ServiceUnavailable,
)
from loki.messages.envelope import Message
from loki.messages.series import (
    AggregateRows,
    ListAllSeries,
    ReadRows,
    SeriesEntry,
    SeriesPage,
)

Start = Callable[..., Any]
START_S = 1_600_000_000
S_NS = 1_000_000_000


def append(bench: Any, count: int, script: str = "tool", name: str = "t") -> None:
    """Rows of a second each; the value is the number of the row."""
    run = Run("r1", script, "local", 1, "tools.toml", {"series": ("*",)})
    values = tuple(float(n) for n in range(count))
    times = tuple(float(START_S + n) for n in range(count))
    bench.call(AppendSamples(name=name, values=values, times=times), run)


def asked(bench: Any, request: Message) -> Any:
    answer = bench.hel.services()[type(request)](request)
    assert isinstance(answer, Future)
    return answer.result(timeout=20)


def read(bench: Any, **options: Any) -> tuple[list[float], int]:
    """The values of all blocks, and how many there were."""
    following = ReadRows(script="tool", name="t", timeout_s=20.0, **options)
    values: list[float] = []
    blocks = 0
    while following is not None:
        rows = asked(bench, following)
        found = np.frombuffer(rows.values, "<f8").tolist()
        times = np.frombuffer(rows.times_ns, "<i8").tolist()
        assert times == [(START_S + int(value)) * S_NS for value in found]
        assert rows.qualities == bytes(len(found))
        values += found
        following = rows.next
        blocks += 1
    return values, blocks


def test_series_of_all_scripts_are_listed(start: Start) -> None:
    bench = start()
    append(bench, 3)
    append(bench, 2, "other", "u")
    run = Run("r1", "tool", "local", 1, "tools.toml", {"series": ("*",)})
    bench.call(DescribeSeries(name="t", attributes={"unit": "V", "gain": 2}), run)
    first = SeriesEntry(
        script="tool",
        name="t",
        rows=3,
        oldest_ns=START_S * S_NS,
        newest_ns=(START_S + 2) * S_NS,
        size_bytes=0,
        attributes={"unit": "V", "gain": 2},
    )
    page = asked(bench, ListAllSeries(page_size=1))
    assert ([each.name for each in page.series], page.next_page) == (["u"], "other/u")
    assert asked(bench, ListAllSeries(page=page.next_page)) == SeriesPage(series=(first,))
    assert asked(bench, ListAllSeries(script="tool")).series == (first,)


def test_rows_come_in_blocks_and_stop_at_the_limit(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer, "BLOCK_ROWS", 20)
    bench = start(series_chunk_rows=16, series_late_s=1)
    append(bench, 90)
    everything = [float(n) for n in range(90)]
    assert read(bench) == (everything, 5)
    assert read(bench, limit=40) == (everything[:40], 2)
    assert read(bench, limit=41) == (everything[:41], 3)
    assert read(bench, limit=50, newest=True) == (everything[-50:], 3)
    within = {"start_ns": (START_S + 10) * S_NS, "end_ns": (START_S + 35) * S_NS}
    assert read(bench, **within) == (everything[10:35], 2)
    assert read(bench, limit=5, newest=True, **within) == (everything[30:35], 1)


def test_windows_are_columns(start: Start) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    append(bench, 90)
    windows = asked(
        bench,
        AggregateRows(script="tool", name="t", timeout_s=20.0, statistic="max", every_s=60.0),
    )
    starts = np.frombuffer(windows.starts_ns, "<i8").tolist()
    assert [time % (60 * S_NS) for time in starts] == [0, 0, 0]
    assert np.frombuffer(windows.values, "<f8").tolist() == [19.0, 79.0, 89.0]
    assert np.frombuffer(windows.counts, "<i8").tolist() == [20, 60, 10]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"newest": True}, "limit"),
        ({"newest": True, "limit": 1_000_001}, "limit"),
        ({"start_ns": 2, "end_ns": 1}, "end_time"),
    ],
)
def test_bad_input_is_named(start: Start, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read(start(), **options)
    assert refused.value.details["field"] == field


def test_a_page_that_was_never_given_is_refused(start: Start) -> None:
    with pytest.raises(InvalidArgument, match="page_token 'x'"):
        asked(start(), ListAllSeries(page="x"))


def test_a_missing_series_is_said(start: Start) -> None:
    bench = start()
    append(bench, 1)
    with pytest.raises(IoError, match="no series 'u'; this script has t") as missing:
        asked(bench, ReadRows(script="tool", name="u", timeout_s=20.0))
    assert missing.value.code is ErrorCode.NOT_FOUND


def test_what_its_caller_no_longer_waits_for_is_given_up(start: Start) -> None:
    bench = start()
    append(bench, 1)
    go, busy = Event(), Event()
    bench.shell.workers["series"].submit(lambda: (busy.set(), go.wait(20)))
    assert busy.wait(20)
    request = AggregateRows(script="tool", name="t", timeout_s=2.0)
    answer = bench.hel.services()[AggregateRows](request)
    bench.shell.clock.advance(2.0)
    go.set()
    with pytest.raises(ServiceUnavailable) as over:
        answer.result(timeout=20)
    assert over.value.code is ErrorCode.CLIENT_DEADLINE


@pytest.mark.parametrize("request_type", [ReadRows, AggregateRows])
def test_without_zarr_the_refusal_says_what_to_install(
    start: Start, monkeypatch: pytest.MonkeyPatch, request_type: Any
) -> None:
    monkeypatch.setattr(namespace, "find_spec", lambda name: None)
    with pytest.raises(ServiceUnavailable, match=r"pip install 'loki\[series\]'"):
        asked(start(), request_type(script="tool", name="t", timeout_s=20.0))
