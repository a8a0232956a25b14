"""The calls about time series, through Hel's role with its threads."""

import math
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import xarray
from hel_actor import namespace
from hel_actor.messages import (
    AggregateSeries,
    AppendOptions,
    AppendSample,
    AppendSamples,
    DescribeSeries,
    GetStored,
    ListSeries,
    ReadOptions,
    ReadSeries,
    Sample,
    SetStored,
    SummarizeSeries,
)
from hel_actor.series.recorder import following

from loki.child import Run
from loki.errors import (
    ErrorCode,
    InvalidArgument,
    IoError,
    PermissionRefused,
    ResourceLimitExceeded,
    ServiceUnavailable,
)
from loki.messages.envelope import Done
from loki.messages.value import pack, unpack

Start = Callable[..., Any]
NOW_S = 1_700_000_000.0  # Of the bench's clock.


def run(script: str = "tool", **permissions: Any) -> Run:
    allowed = permissions or {"series": ("*",), "storage": ("*",)}
    return Run("r1", script, "local", 1, "tools.toml", allowed)


def append_all(count: int, first: int = 0, **options: int) -> AppendSamples:
    numbers = range(first, first + count)
    return AppendSamples(
        name="t",
        values=tuple(float(n) for n in numbers),
        times=tuple(NOW_S - 1000 + n for n in numbers),
        options=AppendOptions(**options),
    )


def values(bench: Any, **options: Any) -> list[float]:
    request = ReadSeries(name="t", options=ReadOptions(**options))
    return [sample.value for sample in bench.call(request, run()).samples]


def settled(bench: Any) -> None:
    """Until the series' thread has done what it was given so far."""
    bench.shell.workers["series"].submit(lambda: None).result(timeout=20)


def test_s_8_5_3_a_row_without_a_time_is_of_now(start: Start) -> None:
    bench = start()
    assert bench.call(AppendSample(name="t", value=21.5), run()).appended is True
    late = AppendSample(name="t", value=20.0, time=NOW_S - 0.25, options=AppendOptions(quality=7))
    bench.call(late, run())
    assert bench.call(ReadSeries(name="t"), run()).samples == (
        Sample(time=NOW_S - 0.25, value=20.0, quality=7),
        Sample(time=NOW_S, value=21.5, quality=0),
    )


def test_s_8_5_3_rows_survive_a_restart_in_journal_and_files(start: Start) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    assert bench.call(append_all(50), run()).appended == 50
    settled(bench)
    assert (bench.state_dir / "series/tool/t/value/c/2").exists()
    bench.close()
    bench = start(series_late_s=1)
    assert bench.call(append_all(50, first=50), run()).appended == 50
    assert values(bench) == [float(n) for n in range(100)]
    settled(bench)
    bench.close()
    assert (bench.state_dir / "series/tool/t/value/c/5").exists()
    assert not (bench.state_dir / "series/tool/t/value/c/6").exists()


def test_a_call_with_the_same_sequence_appends_nothing(start: Start) -> None:
    bench = start()
    once = AppendSample(name="t", value=1.0, options=AppendOptions(sequence=5))
    assert [bench.call(once, run()).appended for _ in range(3)] == [True, False, False]
    assert [bench.call(append_all(3, sequence=6), run()).appended for _ in range(2)] == [3, 0]
    assert values(bench) == [0.0, 1.0, 2.0, 1.0]


def test_s_8_5_2_windows(start: Start) -> None:
    bench = start()
    bench.call(append_all(100), run())
    request = AggregateSeries(
        name="t", from_=NOW_S - 1000, to=math.inf, statistic="max", every_s=50
    )
    windows = bench.call(request, run()).windows
    assert [(w.time, w.value, w.count) for w in windows] == [
        (NOW_S - 1000, 49.0, 50),
        (NOW_S - 950, 99.0, 50),
    ]


def test_series_belong_to_their_script(start: Start) -> None:
    bench = start()
    for script, name in (("tool", "b"), ("tool", "a"), ("other", "c")):
        bench.call(AppendSample(name=name, value=0.0), run(script))
    assert bench.call(ListSeries(), run()).names == ("a", "b")
    assert bench.call(ListSeries(), run("other")).names == ("c",)
    assert bench.call(ListSeries(), run("third")).names == ()
    with pytest.raises(IoError, match="has a, b") as missing:
        bench.call(ReadSeries(name="c"), run())
    assert missing.value.code is ErrorCode.NOT_FOUND


def test_a_regular_series_tells_what_is_missing(start: Start) -> None:
    bench = start()
    bench.call(append_all(10), run())
    bench.call(append_all(10, first=15), run())
    assert bench.call(SummarizeSeries(name="t"), run()).missing is None
    bench.call(DescribeSeries(name="t", attributes={"interval_s": 1}), run())
    assert bench.call(SummarizeSeries(name="t"), run()).missing == 5
    bench.call(append_all(9), run())
    assert bench.call(SummarizeSeries(name="t"), run()).missing == 5


def test_attributes_are_in_the_summary_and_in_the_files(start: Start) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    about = {"unit": "°C", "height_m": 2, "inside": True}
    assert bench.call(DescribeSeries(name="t", attributes=about), run()) == Done()
    empty = bench.call(SummarizeSeries(name="t"), run())
    assert (empty.rows, empty.oldest, empty.newest, empty.size_bytes) == (0, None, None, 0)
    bench.call(append_all(40), run())
    bench.call(DescribeSeries(name="t", attributes=about | {"height_m": 3}), run())
    summary = bench.call(SummarizeSeries(name="t"), run())
    assert (summary.rows, summary.oldest, summary.newest) == (40, NOW_S - 1000, NOW_S - 961)
    assert summary.size_bytes > 0
    assert unpack(summary.attributes) == about | {"height_m": 3}
    with xarray.open_zarr(bench.state_dir / "series/tool/t") as dataset:
        assert dataset.attrs["height_m"] == 3
        assert dataset.attrs["unit"] == dataset.value.attrs["units"] == "°C"


REFUSED = [
    (AppendSample(name="../t", value=0.0), "no name"),
    (AppendSample(name="t", value=math.nan), "finite"),
    (AppendSample(name="t", value=-math.inf), "finite"),
    (AppendSample(name="t", value=0.0, time=math.nan), "seconds since 1970"),
    (AppendSample(name="t", value=0.0, time=NOW_S * 1000), "seconds since 1970"),
    (AppendSample(name="t", value=0.0, options=AppendOptions(quality=256)), "quality"),
    (AppendSamples(name="t", values=(1.0, math.nan), times=(1.0, 2.0)), "finite"),
    (AppendSamples(name="t", values=(1.0,), times=()), "1 values and 0 times"),
    (AppendSamples(name="t", values=(0.0,) * 10_001, times=(0.0,) * 10_001), "10000 are allowed"),
    (ReadSeries(name="t", from_=2.0, to=1.0), "before from"),
    (ReadSeries(name="t", options=ReadOptions(limit=0)), "limit is 0"),
    (ReadSeries(name="t", options=ReadOptions(limit=50_001)), "1 to 50000"),
    (DescribeSeries(name="t", attributes={"loki_series": "x"}), "not loki_"),
    (AggregateSeries(name="t", from_=0.0, to=1.0, statistic="avg"), "there are mean"),
    (AggregateSeries(name="t", from_=math.nan, to=1.0, statistic="mean"), "from is not"),
]


@pytest.mark.parametrize(("request_", "reason"), REFUSED)
def test_bad_input_is_named_and_changes_nothing(start: Start, request_: Any, reason: str) -> None:
    bench = start()
    with pytest.raises(InvalidArgument, match=reason) as refused:
        bench.call(request_, run())
    assert refused.value.details["field"]
    assert bench.call(ListSeries(), run()).names == ()


def test_quotas_are_refused_by_name(start: Start) -> None:
    bench = start(series_per_script=1)
    bench.call(AppendSample(name="a", value=0.0), run())
    with pytest.raises(ResourceLimitExceeded, match="series_per_script"):
        bench.call(AppendSample(name="b", value=0.0), run())
    bench.call(AppendSample(name="b", value=0.0), run("other"))


def test_more_rows_than_a_message_should_carry_need_a_limit(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hel_actor.series.series.MAX_ROWS", 20)
    bench = start()
    bench.call(append_all(21), run())
    with pytest.raises(ResourceLimitExceeded, match="more than 20 rows"):
        bench.call(ReadSeries(name="t"), run())
    assert values(bench, limit=2) == [0.0, 1.0]
    assert values(bench, limit=2, newest=True) == [19.0, 20.0]


def test_the_permission_is_its_own(start: Start) -> None:
    with pytest.raises(PermissionRefused, match="series = true"):
        start().call(ListSeries(), run(storage=("*",)))


def test_without_zarr_the_refusal_says_what_to_install(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "find_spec", lambda name: None)
    with pytest.raises(ServiceUnavailable, match=r"pip install 'loki\[series\]'") as refused:
        start().call(ListSeries(), run())
    assert refused.value.code is ErrorCode.UNSUPPORTED


def test_a_query_keeps_no_write_waiting(start: Start) -> None:
    bench = start()
    go, busy = Event(), Event()
    bench.shell.workers["series"].submit(lambda: (busy.set(), go.wait(20)))
    assert busy.wait(20)
    reading = bench.hel.calls()[ReadSeries](ReadSeries(name="t"), run())
    bench.call(SetStored(key="k", value=pack(1)), run())
    assert bench.call(GetStored(key="k"), run()).value == pack(1)
    assert bench.call(AppendSample(name="t", value=0.0), run()).appended
    assert bench.call(ListSeries(), run()).names == ("t",)
    assert not reading.done()
    go.set()
    assert len(reading.result(20).samples) == 1


def test_queries_of_a_run_that_is_over_are_given_up(start: Start) -> None:
    bench = start()
    bench.call(append_all(3), run())
    go, busy = Event(), Event()
    bench.shell.workers["series"].submit(lambda: (busy.set(), go.wait(20)))
    assert busy.wait(20)
    reading = bench.hel.calls()[ReadSeries](ReadSeries(name="t"), run())
    other = replace(run(), id="r2")
    others = bench.hel.calls()[ReadSeries](ReadSeries(name="t"), other)
    bench.hel.release(run())
    go.set()
    with pytest.raises(ServiceUnavailable, match="the run is over"):
        reading.result(20)
    assert len(others.result(20).samples) == 3
    bench.hel.release(other)
    assert len(values(bench)) == 3, "a later run of that id is another one"


@pytest.mark.parametrize("error", [IoError("no"), RuntimeError("a bug")])
def test_what_breaks_a_promise_breaks_those_that_follow(error: Exception) -> None:
    broken: Future[int] = Future()
    broken.set_exception(error)
    assert following(broken, str).exception() is error

    def breaks(_: int) -> None:
        raise error

    kept: Future[int] = Future()
    kept.set_result(1)
    assert following(kept, breaks).exception() is error


def test_neither_start_nor_append_imports_numpy(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from conftest import Bench
from hel_actor.messages import AppendSample, ListSeries
from loki.child import Run

bench = Bench(Path({str(tmp_path)!r}))
run = Run("r1", "tool", "local", 1, "tools.toml", {{"series": ("*",)}})
bench.call(AppendSample(name="t", value=0.0), run)
assert bench.call(ListSeries(), run).names == ("t",)
bench.close()
print(sorted(set(sys.modules) & {{"numpy", "zarr"}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
