"""The calls about coarser series, through Hel's role with its threads."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from hel_actor.messages import (
    AppendSamples,
    CoarserSeries,
    DownsampleSeries,
    EndDownsampling,
    ListSeries,
    ReadSeries,
    SummarizeSeries,
)
from hel_actor.series.coarsener import Coarsener

from loki.child import Run
from loki.errors import InvalidArgument, PermissionRefused

Start = Callable[..., Any]
START_S = 1_600_000_000  # A multiple of ten seconds.


def run(**permissions: Any) -> Run:
    return Run("r1", "tool", "local", 1, "tools.toml", permissions or {"series": ("*",)})


def append(bench: Any, first: int, count: int) -> None:
    numbers = range(first, first + count)
    values = tuple(float(n) for n in numbers)
    times = tuple(float(START_S + n) for n in numbers)
    bench.call(AppendSamples(name="t", values=values, times=times), run())


def declare(bench: Any, every_s: float = 10.0, **options: str) -> None:
    request = DownsampleSeries(name="t", every_s=every_s, **{"into": "tens"} | options)
    bench.call(request, run())


def settled(bench: Any) -> None:
    """Until the threads have done what they were given so far, and what that gave them."""
    for _ in range(20):
        for name in ("database", "series"):
            bench.shell.workers[name].submit(lambda: None).result(timeout=20)


def tens(bench: Any) -> list[tuple[float, float]]:
    settled(bench)
    samples = bench.call(ReadSeries(name="tens"), run()).samples
    return [(sample.time - START_S, sample.value) for sample in samples]


def test_what_is_there_and_what_comes_is_kept_coarser(start: Start) -> None:
    bench = start(series_late_s=2, series_chunk_rows=16)
    append(bench, 0, 25)
    declare(bench, statistic="max")
    assert tens(bench) == [(0.0, 9.0), (10.0, 19.0)]
    append(bench, 25, 20)
    assert tens(bench) == [(0.0, 9.0), (10.0, 19.0), (20.0, 29.0), (30.0, 39.0)]
    append(bench, 45, 7)
    assert len(tens(bench)) == 4, "a row of 49 s may still come"
    append(bench, 52, 1)
    assert len(tens(bench)) == 5


def test_a_clock_that_jumped_and_came_back_stops_nothing(start: Start) -> None:
    bench = start(series_late_s=2)
    declare(bench, statistic="max")
    append(bench, 0, 25)
    assert len(tens(bench)) == 2
    years = 24 * 365 * 86400
    bench.shell.clock.turn(years)
    now_s = bench.shell.clock.now_ns() / 1e9
    bench.call(AppendSamples(name="t", values=(1.0, 1.0), times=(now_s - 60, now_s)), run())
    settled(bench)
    assert until(bench) > START_S + years
    bench.shell.clock.turn(-years)
    append(bench, 25, 30)
    in_time = [(0.0, 9.0), (10.0, 19.0), (20.0, 24.0), (30.0, 39.0), (40.0, 49.0)]
    assert tens(bench)[:-1] == in_time, "what was kept by a wrong clock stays as it was"
    assert until(bench) == START_S + 50.0
    bench.close()
    bench = start(series_late_s=2)
    append(bench, 55, 10)
    assert tens(bench)[:-1] == [*in_time, (50.0, 59.0)]


def test_a_clock_that_jumps_makes_no_row_old(start: Start) -> None:
    bench = start(series_late_s=1, series_chunk_rows=16, series_keep_days=3650)
    clock, years_s = bench.shell.clock, 24 * 365 * 86400
    append(bench, 0, 80)
    settled(bench)
    clock.advance(7200)
    clock.turn(years_s)
    append(bench, 80, 40)
    settled(bench)
    assert len(bench.call(ReadSeries(name="t"), run()).samples) == 120
    clock.advance(1800)  # That is the time, then.
    append(bench, 120, 40)
    settled(bench)
    assert len(bench.call(ReadSeries(name="t"), run()).samples) < 60


def until(bench: Any) -> float:
    (coarser,) = bench.call(SummarizeSeries(name="t"), run()).downsampled
    assert coarser.until is not None
    return float(coarser.until)


def test_it_is_listed_and_ends(start: Start) -> None:
    bench = start(series_late_s=2)
    declare(bench)
    declare(bench, 3600.0, into="hours", statistic="p95")
    append(bench, 0, 25)
    settled(bench)
    ten = CoarserSeries(into="tens", every_s=10.0, statistic="mean", until=START_S + 20.0)
    found = bench.call(SummarizeSeries(name="t"), run()).downsampled
    assert found[0] == ten
    assert (found[1].into, found[1].statistic) == ("hours", "p95")
    assert bench.call(EndDownsampling(name="t", into="hours"), run()).existed
    assert not bench.call(EndDownsampling(name="t", into="hours"), run()).existed
    assert bench.call(SummarizeSeries(name="t"), run()).downsampled == (ten,)
    assert bench.call(SummarizeSeries(name="tens"), run()).downsampled == ()


def test_a_chain_goes_on_by_itself(start: Start) -> None:
    bench = start(series_late_s=2)
    declare(bench, statistic="sum")
    request = DownsampleSeries(name="tens", into="all", every_s=50.0, statistic="sum")
    bench.call(request, run())
    append(bench, 0, 130)
    settled(bench)
    samples = bench.call(ReadSeries(name="all"), run()).samples
    assert [sample.value for sample in samples] == [sum(range(50)), sum(range(50, 100))]


def test_what_the_last_process_left_is_done_at_the_start(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("hel_actor.series.custodian.Custodian.coarsen", lambda self, source: None)
        bench = start(series_late_s=2)
        declare(bench)
        append(bench, 0, 25)
        assert tens(bench) == []
        bench.close()
    assert len(tens(start(series_late_s=2))) == 2


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"into": "t"}, "into"),
        ({"into": "../t"}, "name"),
        ({"statistic": "average"}, "statistic"),
        ({"every_s": 0.0}, "every_s"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(
    start: Start, options: dict[str, Any], field: str
) -> None:
    bench = start()
    with pytest.raises(InvalidArgument) as refused:
        declare(bench, **options)
    assert refused.value.details["field"] == field
    assert bench.call(ListSeries(), run()).names == ()


def test_it_needs_the_permission(start: Start) -> None:
    with pytest.raises(PermissionRefused, match="series = true"):
        start().call(EndDownsampling(name="t", into="u"), run(storage=("*",)))


def test_rows_that_come_while_it_is_brought_up_to_date_are_not_overlooked(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has looked for rows already, and nobody else will ask it to."""
    bench = start(series_late_s=2)
    looked, go_on = Event(), Event()
    coarsen = Coarsener.coarsen

    def slow(self: Coarsener, source: int, appended: Any) -> Any:
        yield from coarsen(self, source, appended)
        if not looked.is_set():
            looked.set()
            go_on.wait()

    monkeypatch.setattr(Coarsener, "coarsen", slow)
    declare(bench)
    assert looked.wait(20)
    append(bench, 0, 25)
    go_on.set()
    assert len(tens(bench)) == 2
