"""Removing series: whichever operation fails, all of it is there or none, and nothing stays."""

import errno
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hel_actor.database.database import Database
from hel_actor.messages import (
    AppendSamples,
    DescribeSeries,
    DownsampleSeries,
    ListSeries,
    ReadSeries,
    RemoveSeries,
    SeriesRemoved,
    SummarizeSeries,
)
from hel_actor.schema import MIGRATIONS
from hel_actor.series import downsampling, eraser, remains, series
from hel_actor.series.eraser import Remover
from hel_actor.series.reading import EVERYTHING
from hel_actor.storage import Storage

from loki.child import Run
from loki.clock import FakeClock
from loki.errors import ErrorCode, IoError, LokiError, PermissionRefused, ServiceUnavailable
from loki.messages.series import EraseSeries, ReadRows
from loki.messages.value import unpack
from tests.unit.children.hel_actor.failing import FailingDisk, Failure, Fuse, connecting
from tests.unit.children.hel_actor.series_world import LOG, World

Start = Callable[..., Any]
NOW_S = 1_700_000_000  # Of the bench's clock.
SMALL = {"series_chunk_rows": 16, "series_late_s": 1}
CODES = [errno.ENOSPC, errno.EIO]


def run(**permissions: Any) -> Run:
    return Run("r1", "tool", "local", 1, "tools.toml", permissions or {"series": ("*",)})


def append(bench: Any, count: int, name: str = "t", first: int = 0) -> None:
    values = tuple(float(n) for n in range(first, first + count))
    times = tuple(NOW_S - 3000 + n for n in values)
    bench.call(AppendSamples(name=name, values=values, times=times), run())
    settled(bench)


def settled(bench: Any) -> None:
    """Until the threads have done what they were given so far, and what that gave them."""
    for _ in range(30):
        for name in ("database", "series"):
            bench.shell.workers[name].submit(lambda: None).result(timeout=20)


def values(bench: Any, name: str = "t") -> list[float]:
    return [sample.value for sample in bench.call(ReadSeries(name=name), run()).samples]


def remove(bench: Any, name: str = "t") -> bool:
    removed = bench.call(RemoveSeries(name=name), run())
    assert isinstance(removed, SeriesRemoved)
    return removed.existed


def files(bench: Any) -> list[str]:
    """Of all series, but the descriptions of the folders above them."""
    folder = bench.state_dir / "series"
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return [str(each) for each in found if len(each.parts) > 2]


def test_a_script_removes_a_series_and_all_that_it_took(start: Start) -> None:
    bench = start(**SMALL)
    append(bench, 50)
    bench.call(DescribeSeries(name="t", attributes={"unit": "m"}), run())
    assert files(bench)
    assert remove(bench)
    assert not (bench.state_dir / "series/tool/t").exists(), "before it is answered"
    assert remove(bench) is False
    assert bench.call(ListSeries(), run()).names == ()
    with pytest.raises(IoError) as gone:
        values(bench)
    assert gone.value.code is ErrorCode.NOT_FOUND
    settled(bench)
    assert files(bench) == []
    assert bench.hel.ledger.used_bytes("tool") == 0
    append(bench, 40, first=100)
    assert values(bench) == list(range(100, 140))
    assert unpack(bench.call(SummarizeSeries(name="t"), run()).attributes) == {}


def test_only_who_may_use_series_may_remove_one(start: Start) -> None:
    bench = start()
    append(bench, 3)
    with pytest.raises(PermissionRefused):
        bench.call(RemoveSeries(name="t"), run(files=("rw",)))
    other = Run("r1", "other", "local", 1, "tools.toml", {"series": ("*",)})
    assert bench.call(RemoveSeries(name="t"), other).existed is False
    assert values(bench) == [0, 1, 2]


def test_a_client_removes_one_and_is_told_of_rows_or_that_there_is_none(start: Start) -> None:
    bench = start(**SMALL)
    append(bench, 50)
    append(bench, 1, "u")
    assert bench.serve(EraseSeries(script="tool", name="t")).rows == 50
    with pytest.raises(IoError, match="no series 't'; this script has u") as gone:
        bench.serve(EraseSeries(script="tool", name="t"))
    assert gone.value.code is ErrorCode.NOT_FOUND


def test_coarser_series_stay_and_their_rule_ends(start: Start) -> None:
    bench = start(**SMALL)
    append(bench, 25)
    for into, every_s in (("tens", 10.0), ("fives", 5.0)):
        request = DownsampleSeries(name="t", into=into, every_s=every_s, statistic="count")
        bench.call(request, run())
    settled(bench)
    assert remove(bench, "fives")
    append(bench, 10, first=25)
    assert values(bench, "tens") == [10.0, 10.0, 10.0], "the other one goes on"
    assert [each.into for each in bench.call(SummarizeSeries(name="t"), run()).downsampled] == [
        "tens"
    ]
    assert remove(bench)
    append(bench, 35)
    assert values(bench, "tens") == [10.0, 10.0, 10.0]
    assert bench.hel.trouble == ""


def test_windows_go_on_where_another_coarser_series_is_removed_meanwhile(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start(**SMALL)
    bench.call(DownsampleSeries(name="t", into="tens", every_s=10.0, statistic="count"), run())
    settled(bench)
    rules, asked = downsampling.rules, []

    def removed_by_then(reader: Any, source: int) -> Any:
        found = rules(reader, source)
        asked.append(source)
        return (replace(found[0], target=999), *found) if len(asked) == 1 else found

    monkeypatch.setattr(downsampling, "rules", removed_by_then)
    append(bench, 25)
    assert len(asked) > 1
    assert values(bench, "tens") == [10.0, 10.0]
    assert caplog.records == []


def test_a_reader_gets_one_clear_error_and_no_row_of_another_series(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hel_actor.series.viewer.BLOCK_ROWS", 20)
    bench = start(**SMALL)
    append(bench, 50)
    first = bench.serve(ReadRows(script="tool", name="t", timeout_s=20.0))
    assert first.next is not None
    remove(bench)
    with pytest.raises(IoError, match="no series") as gone:
        bench.serve(first.next)
    assert gone.value.code is ErrorCode.NOT_FOUND
    append(bench, 50)
    with pytest.raises(IoError, match="removed meanwhile") as gone:
        bench.serve(first.next)
    assert gone.value.code is ErrorCode.NOT_FOUND


def test_a_query_whose_files_go_meanwhile_ends_with_one_clear_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "BLOCK_ROWS", 32)
    world.append(range(200))
    world.checkpoint()
    steps = world.queries.read("tool", "t", EVERYTHING)
    next(steps)
    cleared(remover(world))
    world.append(range(200))
    with pytest.raises(IoError, match="removed meanwhile") as gone:
        next(steps)
    assert gone.value.code is ErrorCode.NOT_FOUND


def test_rows_are_acknowledged_before_the_removal_or_after_it(start: Start) -> None:
    """Those of before go with the series; those of after are all in the new one."""
    bench = start(**SMALL)
    append(bench, 50)
    acknowledged: list[float] = []
    removed = Event()
    after: list[float] = []

    def appending() -> None:
        for n in range(50, 400):
            later = removed.is_set()
            value = float(n)
            request = AppendSamples(name="t", values=(value,), times=(NOW_S - 3000 + value,))
            bench.call(request, run())
            acknowledged.append(value)
            if later:
                after.append(value)

    thread = Thread(target=appending)
    thread.start()
    while len(acknowledged) < 100:
        thread.join(0.001)
    assert remove(bench)
    removed.set()
    thread.join(60)
    settled(bench)
    found = values(bench)
    assert found == acknowledged[-len(found) :], "the last ones, without a hole"
    assert set(after) <= set(found)
    assert found[0] > 149
    settled(bench)
    assert not [each for each in files(bench) if each.split("/")[1].startswith(".")]


def test_while_a_backup_is_made_nothing_is_removed(world: World) -> None:
    world.append(range(50))
    world.store.hold(True)
    with pytest.raises(ServiceUnavailable, match="backup"):
        remover(world).remove("tool", "t")
    world.store.hold(False)
    assert world.times() == list(range(50))


def test_what_a_kill_left_goes_with_the_next_start(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where files were not even set aside: they are of no stranger."""
    with monkeypatch.context() as killed:
        killed.setattr(remains, "set_aside", lambda *_: None)
        killed.setattr(Remover, "clear", lambda *_: False)
        bench = start(**SMALL)
        append(bench, 50)
        assert remove(bench)
        assert files(bench)
        bench.close()
    again = start(**SMALL)
    assert again.hel.trouble == ""
    settled(again)
    assert files(again) == []
    assert again.hel.trouble == ""


def test_files_that_cannot_go_are_told_and_tried_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = start(**SMALL)
    append(bench, 50)
    with monkeypatch.context() as patched:

        def failing(*_: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        patched.setattr("hel_actor.storage.Disk.rename", failing)
        assert remove(bench)
        settled(bench)
        assert "files of 't', which was removed, are left: Input/output" in bench.hel.trouble
        with caplog.at_level(logging.ERROR):
            bench.shell.clock.advance(5.0)
            assert bench.hel.trouble
            settled(bench)
        assert caplog.text.count("are left") == 1
        assert bench.call(ListSeries(), run()).names == ()
    bench.shell.clock.advance(5.0)
    assert bench.hel.trouble
    settled(bench)
    assert bench.hel.trouble == ""
    assert files(bench) == []


def test_a_new_series_of_that_name_is_not_taken_for_the_old_one(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = start(**SMALL)
    append(bench, 50)
    monkeypatch.setattr(Remover, "clear", lambda *_: False)
    with monkeypatch.context() as patched:
        patched.setattr(remains, "set_aside", lambda *_: None)
        assert remove(bench)
    append(bench, 40, first=100)
    assert values(bench) == list(range(100, 140))
    folder = bench.state_dir / "series/tool"
    assert sorted(p.name for p in folder.iterdir() if p.name[0] not in ".z") == ["t"]


def test_many_files_and_rows_go_in_small_turns(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remains, "FILES_AT_ONCE", 10)
    monkeypatch.setattr(eraser, "ROWS_AT_ONCE", 5)
    world.append(range(200))
    world.checkpoint()
    assert cleared(remover(world)) > 5
    assert not list((world.folder / "series/tool").glob("*t*"))


def remover(world: World, storage: Storage | None = None) -> Remover:
    return Remover(world.store, world.database.submit, world.folder / "series", storage)


def cleared(remover: Remover, name: str = "t") -> int:
    """Remove it and all that is left: in how many turns."""
    gone = remover.remove("tool", name)
    assert gone is not None
    turns = 1
    while remover.clear(gone[0]):
        turns += 1
    return turns


def went(act: Callable[[], object]) -> bool:
    try:
        act()
    except LokiError:
        return False
    return True


@pytest.mark.parametrize("how", list(Failure))
@pytest.mark.parametrize("killed", [False, True])
def test_whichever_operation_on_files_fails_nothing_is_left_in_the_end(
    in_memory: Path, worker: ThreadPoolExecutor, how: Failure, killed: bool
) -> None:
    """The n-th fails, for every n until none does; then Hel goes on, or starts anew."""
    n, disk = 0, FailingDisk(0)
    while disk.fired:
        n += 1
        disk = FailingDisk(n, how, CODES[n % 2])
        world = World(in_memory / str(n), worker)
        world.append(range(50))
        world.checkpoint()
        world.append(range(50), "other")
        went(partial(cleared, remover(world, disk)))
        if killed:
            world.restart()
        again = remover(world)
        for removed in again.all_pending():
            while again.clear(removed):
                pass
        assert again.all_pending() == ()
        assert not list((world.folder / "series/tool").glob("*t*")), n
        world.append(range(100, 150))
        assert world.times() == list(range(100, 150)), n
        world.close()
    assert n > 5


def test_whichever_statement_fails_all_of_it_is_there_or_none(
    in_memory: Path, worker: ThreadPoolExecutor
) -> None:
    n, fuse, seen = 0, Fuse(0), set()
    while fuse.fired:
        n += 1
        world = World(in_memory / str(n), worker)
        world.append(range(50))
        world.checkpoint()
        world.close()
        path, fuse = world.folder / "hel.sqlite", Fuse(0)
        world.database = Database(path, MIGRATIONS, worker, FakeClock(), LOG, connecting(fuse))
        world.store = world.of(FailingDisk(0))
        world.store.look(lambda _: None)
        fuse.__init__(n, Failure.BEFORE, CODES[n % 2])  # type: ignore[misc]  # It is open now.
        done = went(lambda world=world: remover(world).remove("tool", "t"))
        world.restart()
        left = world.database.submit(
            lambda db: db.execute("SELECT count(*) FROM series").fetchone()[0]
        ).result(20)
        if left:
            assert not done, n
            assert world.times() == list(range(50)), n
        else:
            again = remover(world)
            for removed in again.all_pending():
                while again.clear(removed):
                    pass
            assert not list((world.folder / "series/tool").glob("*t*")), n
        seen.add(bool(left))
        world.close()
    assert n > 6
    assert seen == {True, False}
