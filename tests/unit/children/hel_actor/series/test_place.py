"""Where files of series are, and that they are read there also while the disk takes no change."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hel_actor.series import journal
from hel_actor.series.place import place_of, places

from loki.errors import IoError
from tests.unit.children.hel_actor.failing import FailingDisk
from tests.unit.children.hel_actor.series_world import CHUNK_ROWS, KEEP_ALL, World

T = TypeVar("T")


class ReadOnly(FailingDisk):
    """As a file system that an error made read-only."""

    def do(self, act: Callable[[], T], half: Callable[[], object] = lambda: None) -> T:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_only_series_with_files_have_a_place(world: World) -> None:
    world.append(range(10))
    assert world.database.submit(places).result(20) == []
    world.append(range(10, 50))
    world.checkpoint()
    known = world.database.submit(lambda db: journal.by_id(db, 1)).result(20)
    assert world.database.submit(places).result(20) == [place_of(known, 2)]
    assert place_of(known, 2).chunk_rows == CHUNK_ROWS


def test_rows_are_read_where_nothing_can_be_put_in_order(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    world.restart(ReadOnly(0))
    assert world.times() == list(range(50))
    world.append(range(50, 100))
    with pytest.raises(IoError, match="Read-only"):
        world.checkpoint()
    assert world.times() == list(range(100))


def test_descriptions_that_cannot_be_written_hold_up_no_row(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    (world.folder / "series/tool/t/zarr.json").unlink()
    world.restart(ReadOnly(0))
    assert world.times() == list(range(50))


def test_rows_are_read_also_where_the_files_still_have_chunks_that_went(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    world.retention = replace(KEEP_ALL, rows=16)
    world.restart(ReadOnly(0))
    world.append([50, 51, 52])
    known = world.database.submit(lambda db: journal.by_id(db, 1)).result(20)
    world.database.submit(lambda db: journal.drop(db, known, 1)).result(20)
    assert world.times() == list(range(16, 53))
    world.restart()
    assert world.times() == list(range(16, 53))


def test_files_of_another_series_are_not_read_instead(world: World) -> None:
    world.append(range(50))
    world.checkpoint()
    group = world.folder / "series/tool/t/zarr.json"
    mark = world.database.submit(lambda db: journal.by_id(db, 1).mark).result(20)
    group.write_text(group.read_text().replace(mark, "0" * len(mark)))
    world.restart(ReadOnly(0))
    with pytest.raises(IoError, match="not where they should be"):
        world.times()
