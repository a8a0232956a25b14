"""Rows that wait and got too old, where nothing comes: which go, and that they go."""

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hel_actor.messages import AppendSamples, DownsampleSeries, ReadSeries, SummarizeSeries
from hel_actor.series import aging, store
from hel_actor.series.series import MAX_NS, MIN_NS, Retention
from hel_actor.steadiness import NOTHING_OLD_NS

from loki.child import Run
from loki.errors import IoError
from tests.unit.children.hel_actor.failing import FailingDisk, Failure
from tests.unit.children.hel_actor.series_world import KEEP_ALL, World, tried

Start = Callable[..., Any]
NOW_S = 1_700_000_000  # Of the bench's clock.
DAY_S = 86_400.0
KEEP = Retention(160, MAX_NS, MAX_NS)


@pytest.mark.parametrize(
    ("oldest_ns", "done_ns", "now_ns", "before_ns"),
    [
        (None, MAX_NS, 1000, None),
        (830, MAX_NS, 1000, None),  # Not by a sixteenth.
        (829, MAX_NS, 1000, 840),
        (829, 835, 1000, 835),  # Coarser series do not have the rest.
        (829, 829, 1000, None),
        (829, MIN_NS, 1000, None),
        (700, MIN_NS, 1000, 800),  # A quarter beyond, nothing waits for them any more.
        (700, 820, 1000, 820),
        (2000, MAX_NS, 1000, None),
        (MIN_NS + 1, MAX_NS, NOTHING_OLD_NS, None),
    ],
)
def test_rows_that_wait_go_by_their_age(
    oldest_ns: int | None, done_ns: int, now_ns: int, before_ns: int | None
) -> None:
    assert aging.before_ns(oldest_ns, done_ns, now_ns, KEEP) == before_ns


@pytest.mark.parametrize(
    ("oldest_ns", "done_ns", "overtakes"),
    [(None, 0, False), (830, 0, False), (829, 840, False), (829, 839, True)],
)
def test_coarser_series_are_asked_before_rows_go(
    oldest_ns: int | None, done_ns: int, overtakes: bool
) -> None:
    assert aging.overtakes(oldest_ns, done_ns, 1000, KEEP) is overtakes


def run() -> Run:
    return Run("r1", "tool", "local", 1, "tools.toml", {"series": ("*",)})


def append(bench: Any, count: int, name: str = "t") -> None:
    values = tuple(float(n) for n in range(count))
    times = tuple(NOW_S - 3000 + n for n in values)
    bench.call(AppendSamples(name=name, values=values, times=times), run())
    settled(bench)


def settled(bench: Any) -> None:
    """Until the threads have done what they were given so far, and what that gave them."""
    for _ in range(30):
        for name in ("database", "series"):
            bench.shell.workers[name].submit(lambda: None).result(timeout=20)


def aged(bench: Any, days: float) -> None:
    """The supervisor asks so much later."""
    bench.shell.clock.advance(days * DAY_S)
    assert bench.hel.trouble == ""
    settled(bench)


def values(bench: Any, name: str = "t") -> list[float]:
    return [sample.value for sample in bench.call(ReadSeries(name=name), run()).samples]


def test_rows_of_series_that_get_none_go_by_their_age_too(start: Start) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1, series_keep_days=16)
    append(bench, 40)
    append(bench, 3, "few")
    assert (bench.state_dir / "series/tool/t/time/c/1").exists()
    aged(bench, 16.5)
    assert (values(bench), values(bench, "few")) == ([float(n) for n in range(40)], [0, 1, 2])
    aged(bench, 1)
    assert (values(bench), values(bench, "few")) == ([], [])
    assert not (bench.state_dir / "series/tool/t/time/c/0").exists()
    assert bench.call(SummarizeSeries(name="t"), run()).rows == 0
    assert bench.hel.ledger.used_bytes("tool") == 0


def test_the_look_is_once_an_hour(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    append(bench, 3)
    looks: list[int] = []
    monkeypatch.setattr(store.SeriesStore, "age", lambda _, series_id, __: looks.append(series_id))
    for minutes, count in [(29, 0), (2, 1), (30, 1), (29, 1), (2, 2)]:
        aged(bench, minutes / 1440)
        assert looks == [1] * count


def test_a_clock_that_jumped_makes_nothing_old(start: Start) -> None:
    bench = start(series_keep_days=1)
    append(bench, 3)
    bench.shell.clock.turn(10 * DAY_S)
    aged(bench, 0.05)
    assert values(bench) == [0, 1, 2]
    aged(bench, 0.05)
    assert values(bench) == [], "it went evenly for an hour since"


def test_many_rows_go_in_small_transactions(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SHED", 100)
    bench = start(series_keep_days=1)
    append(bench, 1050)
    gone: list[int] = []
    shed = store.journal.shed

    def counted(*arguments: Any) -> int:
        gone.append(shed(*arguments))
        return gone[-1]

    monkeypatch.setattr(store.journal, "shed", counted)
    aged(bench, 2)
    assert gone == [100] * 10 + [50]
    assert values(bench) == []


def test_rows_of_no_complete_window_stay_a_quarter_longer(start: Start) -> None:
    bench = start(series_late_s=1, series_keep_days=16)
    append(bench, 25)
    request = DownsampleSeries(name="t", into="tens", every_s=10.0, statistic="count")
    bench.call(request, run())
    settled(bench)
    assert values(bench, "tens") == [10.0, 10.0]
    aged(bench, 17.5)
    assert values(bench) == [float(n) for n in range(20, 25)]
    aged(bench, 3)
    assert values(bench) == [], "a quarter later they go all the same"


def test_files_follow_the_database_whichever_operation_fails(
    in_memory: Path, worker: ThreadPoolExecutor
) -> None:
    n, disk = 0, FailingDisk(0)
    while disk.fired:
        n += 1
        disk = FailingDisk(n, Failure.AFTER, errno.EIO)
        world = World(in_memory / str(n), worker)
        world.append(range(50))
        world.checkpoint()
        world.retention = replace(KEEP_ALL, rows=32)
        world.store = world.of(disk)
        tried(disk, partial(world.store.age, 1, lambda: None))
        world.checkpoint()
        assert world.store.age(1, lambda: None) is False
        assert not (world.folder / "series/tool/t/time/c/0").exists(), n
        assert world.times() == list(range(32, 50)), n
        world.close()
    assert n > 10


def test_nothing_ages_while_a_backup_is_made(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    world.retention = replace(KEEP_ALL, rows=32)
    world.restart()
    world.store.hold(True)
    assert world.store.age(1, lambda: None) is False
    assert world.times() == list(range(50))


def test_a_database_that_fails_is_told_once_however_many_series_there_are(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start()
    for name in ("a", "b", "c"):
        append(bench, 3, name)

    def failing(*_: object) -> None:
        raise IoError("the series cannot be read: disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(store.SeriesStore, "age", failing)
        patched.setattr(store.SeriesStore, "checkpoint", failing)
        aged(bench, 1)
        assert "disk I/O error" in bench.hel.trouble
        settled(bench)
        bench.shell.clock.advance(5.0)
        assert bench.hel.trouble
        settled(bench)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    bench.shell.clock.advance(5.0)
    assert bench.hel.trouble
    settled(bench)
    assert bench.hel.trouble == ""
