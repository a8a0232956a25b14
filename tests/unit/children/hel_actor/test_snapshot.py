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
from hel_actor.messages import (
    AppendSamples,
    DeleteEntry,
    GetStored,
    ListDirectory,
    ReadFile,
    ReadSeries,
    SetStored,
    SummarizeSeries,
    WriteFile,
)
from hel_actor.snapshot import STAGING, Photographer, Picture

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


def kept(act: Callable[[], T]) -> "Future[T]":
    promise: Future[T] = Future()
    promise.set_result(act())
    return promise


def photographer(state: Path, **options: Any) -> Photographer:
    return Photographer(state, FakeClock(), LOG, **options)


def take(state: Path, borrow: Any = kept, given_up: Event | None = None, **options: Any) -> Picture:
    return photographer(state, **options).take(kept, borrow, given_up or Event(), "9.9")


def append(bench: Any, first: int, count: int) -> None:
    times = tuple(float(START_S + n) for n in range(first, first + count))
    bench.call(AppendSamples(name="t", values=times, times=times), WHO)


def times(bench: Any) -> list[float]:
    return [each.time - START_S for each in bench.call(ReadSeries(name="t"), WHO).samples]


def restored(start: Start, bench: Any, picture: Picture) -> Any:
    """A Hel that has nothing but what the picture shows."""
    bench.close()
    picture.close()
    shown = picture.folder.rename(bench.state_dir.parent / "shown")
    shutil.rmtree(bench.state_dir)
    shown.rename(bench.state_dir)
    return start(**SMALL)


def test_a_checkpoint_and_a_retention_in_the_middle_change_nothing(start: Start) -> None:
    bench = start(**SMALL)
    append(bench, 0, 60)
    before = times(bench)
    bench.call(SetStored(key="k", value=pack("old")), WHO)

    def borrow(act: Callable[[], T]) -> "Future[T]":
        lent = kept(act)
        append(bench, 60, 200)
        bench.call(SetStored(key="k", value=pack("new")), WHO)
        rows = bench.call(SummarizeSeries(name="t"), WHO).rows  # After the files are written.
        assert rows < 260 - 16
        return lent

    picture = take(bench.state_dir, borrow)
    assert times(bench)[-1] == 259
    again = restored(start, bench, picture)
    assert times(again) == before == list(range(16, 60))
    assert again.call(GetStored(key="k"), WHO).value == pack("old")
    append(again, 60, 100)
    assert times(again)[-1] == 159


def test_files_are_each_whole_and_have_their_time(start: Start) -> None:
    bench = start(**SMALL)
    bench.call(WriteFile(path="a", content=text("one")), WHO)
    bench.call(WriteFile(path="gone", content=text("x")), WHO)
    os.utime(bench.state_dir / "files/tool/a", ns=(0, 123_000_000_000))

    def borrow(act: Callable[[], T]) -> "Future[T]":
        bench.call(DeleteEntry(path="gone"), WHO)
        return kept(act)

    picture = take(bench.state_dir, borrow)
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
    picture = take(bench.state_dir)
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
    picture = take(bench.state_dir)
    assert [entry.path for entry in picture.ledger.read()] == ["hel.sqlite"]
    picture.close()
    photographer(bench.state_dir).clear()
    assert not old.exists()


def test_without_room_nothing_is_copied(start: Start) -> None:
    bench = start(**SMALL)
    bench.call(WriteFile(path="a", content=text("x" * 1000)), WHO)
    with pytest.raises(IoError, match=r"needs 17 MB of free disk on the device .* 1 MB are free"):
        take(bench.state_dir, free_bytes=lambda _: 1_000_000)
    assert not (bench.state_dir / STAGING).exists()


def test_one_that_was_given_up_ends_soon(start: Start) -> None:
    bench = start(**SMALL)
    bench.call(SetStored(key="k", value=pack(1)), WHO)
    given_up = Event()
    given_up.set()
    with pytest.raises(ServiceUnavailable, match="given up"):
        take(bench.state_dir, given_up=given_up)


@pytest.mark.parametrize("how", [Failure.BEFORE, Failure.AFTER])
def test_a_disk_that_fails_leaves_the_state_as_it_is(start: Start, how: Failure) -> None:
    bench = start(**SMALL)
    append(bench, 0, 60)
    before = times(bench)
    fails_at = 1
    while True:
        disk = FailingDisk(fails_at, how)
        try:
            picture = take(bench.state_dir, storage=disk)
        except IoError:
            fails_at += 1
        else:
            picture.close()
            assert not disk.fired
            break
    assert fails_at > 10
    assert times(bench) == before
