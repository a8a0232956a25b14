"""A picture of the state is of one moment, whatever happens while it is taken."""

import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest
from hel_actor.backup.snapshot import STAGING, Photographer, Picture
from hel_actor.messages import (
    AppendSamples,
    DeleteEntry,
    GetStored,
    ListDirectory,
    ListSeries,
    ReadFile,
    ReadSeries,
    SetStored,
    SummarizeSeries,
    WriteFile,
)

from loki.clock import FakeClock
from loki.errors import IoError, ServiceUnavailable
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import Start, run, text
from tests.unit.children.hel_actor.failing import FailingDisk, Failure

T = TypeVar("T")

WHO = run(files=("rw",), storage=("*",), series=("*",))
SMALL = {"series_chunk_rows": 16, "series_late_s": 1, "series_keep_rows": 48}
START_S = 1_699_000_000
LOG = logging.getLogger("test.snapshot")


class Lender:
    """The series' thread of a Hel; `between` is called after each turn that it lent."""

    def __init__(self, bench: Any, between: Callable[[], object] = lambda: None) -> None:
        self._recorder = bench.hel._series.recorder
        self._between = between
        self.turns = 0

    def alone(self, act: Callable[[], T]) -> "Future[T]":
        lent: Future[T] = self._recorder.alone(act)
        lent.exception(20)
        self.turns += 1
        self._between()
        return lent

    def hold(self, held: bool) -> None:
        self._recorder.hold(held)


def photographer(state: Path, **options: Any) -> Photographer:
    return Photographer(state, FakeClock(), LOG, **options)


def take(
    bench: Any, lender: Lender | None = None, given_up: Event | None = None, **options: Any
) -> Picture:
    lent = lender or Lender(bench)
    opened = bench.hel._database
    return photographer(bench.state_dir, **options).take(
        lambda: opened.submit(lambda _: None), lent, given_up or Event(), "9.9"
    )


def append(bench: Any, first: int, count: int, name: str = "t") -> None:
    times = tuple(float(START_S + n) for n in range(first, first + count))
    bench.call(AppendSamples(name=name, values=times, times=times), WHO)


def times(bench: Any, name: str = "t") -> list[float]:
    return [each.time - START_S for each in bench.call(ReadSeries(name=name), WHO).samples]


def restored(start: Start, bench: Any, picture: Picture) -> Any:
    """A Hel that has nothing but what the picture shows."""
    bench.close()
    picture.close()
    shown = picture.folder.rename(bench.state_dir.parent / "shown")
    shutil.rmtree(bench.state_dir)
    shown.rename(bench.state_dir)
    return start(**SMALL)


@pytest.mark.parametrize("at_once", [4, 200])
def test_checkpoints_and_retentions_in_the_middle_change_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("hel_actor.backup.links.FILES_AT_ONCE", at_once)
    bench = start(**SMALL)
    append(bench, 0, 60)
    append(bench, 0, 60, "u")
    before = times(bench)
    bench.call(SetStored(key="k", value=pack("old")), WHO)
    added = iter(range(60, 10_000, 20))

    def between() -> None:
        first = next(added)
        append(bench, first, 20)
        append(bench, first, 20, f"made-{first}")
        bench.call(SetStored(key="k", value=pack("new")), WHO)
        bench.call(SummarizeSeries(name="t"), WHO)  # After the files are written.

    lender = Lender(bench, between)
    picture = take(bench, lender)
    assert at_once == 200 or lender.turns > 7
    rows = lender.turns * 20
    append(bench, 60 + rows, 20)
    assert bench.call(SummarizeSeries(name="t"), WHO).rows <= 48 + 16
    again = restored(start, bench, picture)
    assert times(again) == before == list(range(16, 60))
    assert times(again, "u") == before
    assert again.call(ListSeries(), WHO).names == ("t", "u")
    assert sorted(path.name for path in (again.state_dir / "series/tool").iterdir()) == [
        "t",
        "u",
        "zarr.json",
    ]
    assert again.call(GetStored(key="k"), WHO).value == pack("old")
    append(again, 60, 100)
    assert times(again)[-1] == 159


def test_a_group_that_is_counted_anew_is_begun_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier forgetting, which the files had not followed yet, comes to its end."""
    monkeypatch.setattr("hel_actor.backup.links.FILES_AT_ONCE", 2)
    bench = start(**SMALL | {"series_keep_rows": 1000})
    append(bench, 0, 100)
    times(bench)
    forget = "UPDATE series SET dropped = 2"
    chunks = "DELETE FROM series_chunk WHERE number < 2"
    for statement in (forget, chunks):
        bench.hel._database.submit(lambda db, sql=statement: db.execute(sql) and None).result(20)
    store = bench.hel._series.recorder._store
    lender: Lender

    def between() -> None:
        if lender.turns == 6:
            store._recovered.clear()
            assert times(bench) == list(range(32, 100))

    lender = Lender(bench, between)
    again = restored(start, bench, take(bench, lender))
    assert times(again) == list(range(32, 100))


def test_files_are_each_whole_and_have_their_time(start: Start) -> None:
    bench = start(**SMALL)
    bench.call(WriteFile(path="a", content=text("one")), WHO)
    bench.call(WriteFile(path="gone", content=text("x")), WHO)
    os.utime(bench.state_dir / "files/tool/a", ns=(0, 123_000_000_000))

    def between() -> None:
        if (bench.state_dir / "files/tool/gone").exists():
            bench.call(DeleteEntry(path="gone"), WHO)

    picture = take(bench, Lender(bench, between))
    bench.call(WriteFile(path="a", content=text("two")), WHO)
    assert (picture.folder / "files/tool/a").stat().st_mtime_ns == 123_000_000_000
    again = restored(start, bench, picture)
    assert again.call(ListDirectory(path="."), WHO).names == ("a",)
    assert again.call(ReadFile(path="a"), WHO).content == text("one")


def test_what_no_script_made_is_left_out(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    bench = start(**SMALL)
    bench.call(WriteFile(path="a", content=text("one")), WHO)
    home = bench.state_dir / "files/tool"
    home.joinpath("link").symlink_to("/etc/passwd")
    home.joinpath("folder-link").symlink_to("/etc")
    os.mkfifo(home / "fifo")
    Path(os.fsdecode(os.fsencode(home) + b"/\xff")).write_bytes(b"")
    unfinished = bench.state_dir / "files/.unfinished"
    unfinished.joinpath("0123").write_bytes(b"half")
    picture = take(bench)
    names = [entry.path for entry in picture.ledger.read()]
    assert names == ["hel.sqlite", "files/tool", "files/tool/a"]
    told = [record.getMessage().partition("'")[2].partition("'")[0] for record in caplog.records]
    names = [path.rpartition("/")[2] for path in told]
    assert sorted(names) == [r"\udcff", "fifo", "folder-link", "link"]
    assert picture.manifest.entries == 3
    picture.close()


def test_what_a_kill_left_is_gone_before_the_next(start: Start) -> None:
    bench = start(**SMALL)
    bench.call(SetStored(key="k", value=pack(1)), WHO)
    old = bench.state_dir / STAGING
    old.joinpath("files").mkdir(parents=True)
    old.joinpath("files/x").write_bytes(b"x")
    picture = take(bench)
    assert [entry.path for entry in picture.ledger.read()] == ["hel.sqlite"]
    picture.close()
    photographer(bench.state_dir).clear()
    assert not old.exists()


def test_without_room_nothing_is_copied(start: Start) -> None:
    bench = start(**SMALL)
    bench.call(WriteFile(path="a", content=text("x" * 1000)), WHO)
    with pytest.raises(IoError, match=r"needs 17 MB of free disk on the device .* 1 MB are free"):
        take(bench, free_bytes=lambda _: 1_000_000)
    assert not (bench.state_dir / STAGING).exists()


def test_one_that_was_given_up_ends_soon(start: Start) -> None:
    bench = start(**SMALL)
    bench.call(SetStored(key="k", value=pack(1)), WHO)
    given_up = Event()
    given_up.set()
    with pytest.raises(ServiceUnavailable, match="given up"):
        take(bench, given_up=given_up)


@pytest.mark.parametrize("how", [Failure.BEFORE, Failure.AFTER])
def test_a_disk_that_fails_leaves_the_state_as_it_is(start: Start, how: Failure) -> None:
    bench = start(**SMALL)
    append(bench, 0, 60)
    before = times(bench)
    fails_at = 1
    while True:
        disk = FailingDisk(fails_at, how)
        try:
            picture = take(bench, storage=disk)
        except IoError:
            fails_at += 1
        else:
            picture.close()
            assert not disk.fired
            break
    assert fails_at > 10
    assert times(bench) == before
