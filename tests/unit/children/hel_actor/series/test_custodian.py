"""What happens to time series after rows came, and what is said where it fails."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from threading import Event
from typing import Any

import pytest
from hel_actor.messages import (
    AppendSamples,
    DownsampleSeries,
    ReadSeries,
    TrimSeries,
)

from loki.child import Run
from loki.errors import ErrorCode, IoError, ServiceUnavailable

Start = Callable[..., Any]
NOW_S = 1_700_000_000.0  # Of the bench's clock.


def run() -> Run:
    return Run("r1", "tool", "local", 1, "tools.toml", {"series": ("*",)})


def append_all(count: int, first: int = 0) -> AppendSamples:
    numbers = range(first, first + count)
    values, times = tuple(float(n) for n in numbers), tuple(NOW_S - 3000 + n for n in numbers)
    return AppendSamples(name="t", values=values, times=times)


def values(bench: Any, name: str = "t") -> list[float]:
    return [sample.value for sample in bench.call(ReadSeries(name=name), run()).samples]


def settled(bench: Any) -> None:
    """Until the threads have done what they were given so far, and what that gave them."""
    for _ in range(10):
        for name in ("database", "series"):
            bench.shell.workers[name].submit(lambda: None).result(timeout=20)


def test_a_failed_checkpoint_is_logged_and_tried_again(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    blocker = bench.state_dir / "series"
    blocker.write_bytes(b"")  # No directory can be made there.
    bench.call(append_all(40), run())
    settled(bench)
    assert [record.levelname for record in caplog.records] == ["ERROR"], "told once"
    assert "cannot be put in order" in caplog.text
    assert values(bench) == [float(n) for n in range(40)]
    blocker.unlink()
    bench.call(append_all(10, first=40), run())
    settled(bench)
    assert not blocker.exists(), "it tries again at once, and with every row of a full disk"
    bench.shell.clock.advance(5.0)
    bench.call(append_all(10, first=50), run())
    settled(bench)
    assert (bench.state_dir / "series/tool/t/time/c/1").exists()
    assert values(bench) == [float(n) for n in range(60)]


def test_a_bug_in_a_checkpoint_is_told_once_and_tried_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object, series_id: int, catch_up: object) -> int:
        raise RuntimeError("3 rows left")

    bench = start(series_chunk_rows=16, series_late_s=1)
    with caplog.at_level(logging.ERROR), monkeypatch.context() as patched:
        patched.setattr("hel_actor.series.store.SeriesStore.checkpoint", broken)
        bench.call(append_all(40), run())
        for _ in range(3):
            settled(bench)
            assert "by a fault of Loki: RuntimeError('3 rows left')" in bench.hel.trouble
            bench.shell.clock.advance(5.0)
    assert [record.exc_info is None for record in caplog.records] == [False]
    assert bench.hel.trouble
    settled(bench)
    assert bench.hel.trouble == ""
    assert (bench.state_dir / "series/tool/t/time/c/1").exists()


def test_a_damaged_row_is_trouble_until_it_goes_and_holds_up_no_files(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    bench.call(append_all(10), run())
    with closing(sqlite3.connect(bench.state_dir / "hel.sqlite")) as other, other:
        other.execute("UPDATE series_row SET value = 'abc' WHERE row = 3")
    other_series = AppendSamples(name="u", values=(1.0,) * 40, times=tuple(map(float, range(40))))
    for first in range(10, 90, 20):
        bench.call(append_all(20, first), run())
        settled(bench)
        assert "a row of 'tool/t' of 2023-11-14T21:23:23Z" in bench.hel.trouble
        bench.call(other_series, run())
        settled(bench)
        bench.shell.clock.advance(5.0)
    assert (bench.state_dir / "series/tool/t/time/c/4").exists()
    assert (bench.state_dir / "series/tool/u/time/c/8").exists(), "as if nothing had happened"
    assert [record.levelname for record in caplog.records] == ["ERROR"], "told once"
    with pytest.raises(IoError) as failed:
        values(bench)
    assert failed.value.code is ErrorCode.DATA_LOSS
    bench.call(TrimSeries(name="t", before=NOW_S - 2996), run())
    bench.shell.clock.advance(5.0)
    assert bench.hel.trouble
    settled(bench)
    assert bench.hel.trouble == ""
    assert values(bench)[-86:] == [float(n) for n in range(4, 90)]


def test_coarser_series_that_failed_are_tried_again_after_a_while(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start(series_late_s=1)
    request = DownsampleSeries(name="t", into="tens", every_s=10.0, statistic="count")
    bench.call(request, run())
    settled(bench)
    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise IoError("the disk is full")

        patched.setattr("hel_actor.series.downsampling.rules", full)
        bench.call(append_all(25), run())
        settled(bench)
    assert "the disk is full; rows that come in 5 s or later try again" in caplog.text
    bench.call(append_all(1, first=25), run())
    settled(bench)
    assert values(bench, "tens") == []
    bench.shell.clock.advance(5.0)
    bench.call(append_all(1, first=26), run())
    settled(bench)
    assert values(bench, "tens") == [10.0, 10.0]


def test_damaged_rows_hold_up_only_the_coarser_series_of_their_own(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    bench.call(append_all(40), run())
    settled(bench)
    damaged = bench.state_dir / "series/tool/t/value/c/1"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:20])
    caplog.clear()
    bench.call(DownsampleSeries(name="t", into="tens", every_s=10.0, statistic="count"), run())
    settled(bench)
    for n in range(40, 80):
        bench.call(append_all(1, first=n), run())
    settled(bench)
    assert [record.levelname for record in caplog.records] == ["ERROR"], "told once"
    assert "t/value/c/1 is damaged" in caplog.text
    assert values(bench, "tens") == []
    assert (bench.state_dir / "series/tool/t/time/c/3").exists(), "rows become files meanwhile"
    damaged.write_bytes(content)
    bench.shell.clock.advance(600.0)
    bench.call(append_all(1, first=80), run())
    settled(bench)
    assert values(bench, "tens") == [10.0] * 7


def test_work_that_a_stop_cut_off_is_no_failure(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stopped(self: object, series_id: int, catch_up: object) -> int:
        raise ServiceUnavailable("Hel is stopping", code=ErrorCode.DRAINING)

    monkeypatch.setattr("hel_actor.series.store.SeriesStore.checkpoint", stopped)
    bench = start(series_chunk_rows=16)
    with caplog.at_level(logging.WARNING):
        bench.call(append_all(40), run())
        settled(bench)
    assert caplog.text == ""


def test_rows_that_come_faster_than_files_are_in_coarser_series_before_they_go(
    start: Start,
) -> None:
    """Many of them wait when the thread has its turn, and most are too old at once."""
    bench = start(series_chunk_rows=16, series_late_s=1, series_keep_rows=160)
    go_on = Event()
    bench.call(DownsampleSeries(name="t", into="sums", every_s=20.0, statistic="sum"), run())
    settled(bench)
    bench.shell.workers["series"].submit(go_on.wait)
    for first in range(0, 2000, 250):
        bench.call(append_all(250, first=first), run())
    go_on.set()
    settled(bench)
    bench.call(append_all(50, first=2000), run())
    settled(bench)
    assert len(values(bench)) < 400, "old rows go"
    sums = values(bench, "sums")
    assert sums == [400.0 * n + 190 for n in range(len(sums))]
    assert len(sums) >= 100


def test_rows_that_an_earlier_process_left_are_put_into_files(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However soon after its start Hel dies each time, and though no row comes any more."""
    with monkeypatch.context() as patched:
        patched.setattr("hel_actor.series.store.SeriesStore.checkpoint", lambda *_: 0)
        bench = start(series_chunk_rows=16, series_late_s=1)
        bench.call(append_all(1000), run())
        bench.close()
    again = start(series_chunk_rows=16, series_late_s=1)
    settled(again)
    assert (again.state_dir / "series/tool/t/time/c/61").exists()
    assert values(again) == [float(n) for n in range(1000)]


def test_what_could_not_be_written_is_tried_again_though_no_row_comes(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """A journal that is full takes none: nobody else would ask for it."""
    bench = start(series_chunk_rows=16, series_late_s=1)
    blocker = bench.state_dir / "series"
    blocker.write_bytes(b"")
    bench.call(append_all(40), run())
    settled(bench)
    assert "cannot be put in order" in bench.hel.trouble
    told = len(caplog.records)
    for _ in range(3):
        bench.shell.clock.advance(5.0)
        assert bench.hel.trouble
        settled(bench)
    assert len(caplog.records) == told, "it is told once"
    blocker.unlink()
    bench.shell.clock.advance(5.0)
    assert bench.hel.trouble
    settled(bench)
    assert bench.hel.trouble == ""
    assert (bench.state_dir / "series/tool/t/time/c/1").exists()
