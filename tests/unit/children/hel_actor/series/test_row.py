"""Rows that wait and are none any more: what becomes of them, and of all others."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hel_actor.series import catalogue, journal, row
from hel_actor.series.reading import Reading
from hel_actor.series.row import Unsound
from hel_actor.series.series import MAX_NS, MIN_NS, Span

from loki.errors import ErrorCode, IoError
from tests.unit.children.hel_actor.series_world import ALL, CHUNK_ROWS, World, answer

DAMAGES = (
    "value = 'abc'",
    "value = x'00'",
    "quality = 300",
    "quality = -1",
    "quality = 'good'",
    "quality = 1.5",
)
WITHOUT_TIME = ("time_ns = 'abc'", "time_ns = x'ff'", "time_ns = 3.5")
ROW = 3


def damage(world: World, change: str, number: int = ROW) -> None:
    world.database.submit(
        lambda db: db.execute(f"UPDATE series_row SET {change} WHERE row = ?", (number,))
    ).result(20)


def checkpoint(world: World) -> IoError:
    """All that may become files does; then it is said what is wrong."""
    with pytest.raises(IoError) as failed:
        world.checkpoint()
    return failed.value


@pytest.mark.parametrize("change", DAMAGES)
def test_a_damaged_row_is_refused_and_all_others_are_read(world: World, change: str) -> None:
    world.append(range(8))
    damage(world, change)
    for reading in (Reading(ALL), Reading(Span(3, 4)), Reading(ALL, 4), Reading(ALL, 5, True)):
        with pytest.raises(IoError, match="a row of 'tool/t' of 1970") as failed:
            answer(world.queries.read("tool", "t", reading))
        assert failed.value.code is ErrorCode.DATA_LOSS
        assert failed.value.details["from"] == "1970-01-01T00:00:00Z"
    assert world.times(Span(0, 3)) == [0, 1, 2]
    assert world.times(Span(4, MAX_NS)) == [4, 5, 6, 7]
    assert world.times(limit=3) == [0, 1, 2]
    assert world.times(limit=4, newest=True) == [4, 5, 6, 7]


@pytest.mark.parametrize("change", DAMAGES + WITHOUT_TIME)
def test_all_other_rows_become_files(world: World, change: str) -> None:
    world.append(range(40))
    damage(world, change)
    assert checkpoint(world).code is ErrorCode.DATA_LOSS
    world.append(range(40, 80))
    assert checkpoint(world).code is ErrorCode.DATA_LOSS
    others = [time for time in range(80) if time != ROW]
    assert world.waiting() == 80 - 4 * CHUNK_ROWS
    assert world.times(Span(ROW + 1, MAX_NS)) == others[ROW:]
    world.restart()
    assert world.times(Span(MIN_NS, ROW)) == others[:ROW]
    assert world.times(Span(ROW + 1, MAX_NS)) == others[ROW:]


@pytest.mark.parametrize("change", DAMAGES + WITHOUT_TIME)
def test_it_goes_with_what_is_older_and_then_all_is_well(world: World, change: str) -> None:
    world.append(range(40))
    damage(world, change)
    checkpoint(world)
    world.store.trim("tool", "t", ROW + 1)
    assert world.checkpoint() == 0
    assert world.times()[-1] == 39


@pytest.mark.parametrize("change", WITHOUT_TIME)
def test_a_row_without_a_time_hides_no_other(world: World, change: str) -> None:
    world.append([5, 6, 7, 8])
    damage(world, change)

    def entry(name: str) -> catalogue.Entry:
        found = world.store.look(lambda db: journal.find(db, "tool", name))
        assert found is not None
        return world.store.look(lambda db: catalogue.entry(db, found))

    assert (entry("t").newest_ns, entry("t").rows) == (7, 4)
    assert world.times(Span(5, 8)) == [5, 6, 7]
    assert world.store.look(lambda db: row.unsound(db, 1).count) == 1
    assert world.store.look(lambda db: journal.oldest_waiting(db, 1)) in (3, 5)


def test_the_log_tells_once_of_each(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.append(range(8))
    damage(world, "value = 'abc'")
    damage(world, "time_ns = 'abc'", 5)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            checkpoint(world)
            with pytest.raises(IoError):
                world.times()
        assert len(caplog.records) == 1
        world.store.trim("tool", "t", 4)
    assert "loki restore" in caplog.text


@pytest.mark.parametrize("change", ["oldest_ns = 'abc'", "newest_ns = x'00'", "oldest_ns = 1.5"])
def test_chunks_whose_times_are_damaged_are_read_for_every_time(world: World, change: str) -> None:
    world.append(range(60))
    world.checkpoint()
    world.database.submit(
        lambda db: db.execute(
            f"UPDATE series_chunk SET {change}, size_bytes = 'abc' WHERE number = 1"
        )
    ).result(20)
    assert world.times() == list(range(60))
    assert world.times(Span(20, 30)) == list(range(20, 30))
    assert world.times(limit=20) == list(range(20))
    assert world.times(limit=50, newest=True) == list(range(10, 60))
    assert [each.count for each in world.aggregate(Span(0, 60), "mean", None)] == [60]
    found = world.store.look(lambda db: catalogue.entry(db, journal.by_id(db, 1)))
    assert (found.rows, found.oldest_ns, found.newest_ns) == (60, 0, 59)
    assert type(found.size_bytes) is int
    world.append(range(60, 100))
    world.checkpoint()
    assert world.times() == list(range(100))


def test_sound_rows_are_of_any_number_and_time_that_was_taken(world: World) -> None:
    world.append([MIN_NS + 1, 0, MAX_NS - 1])
    world.database.submit(
        lambda db: db.executemany(
            "INSERT INTO series_row VALUES (1, ?, 7, ?, ?)",
            [(10, 0, 0), (11, 1.7976931348623157e308, 255), (12, -0.0, 1), (13, 5e-324, 2)],
        )
    ).result(20)
    assert world.store.look(lambda db: row.unsound(db, 1)) == Unsound(0, None)
    assert world.store.look(lambda db: row.each_unsound(db, 1, 10)) == ()


def test_the_doctor_is_told_numbers_and_times(tmp_path: Path, worker: ThreadPoolExecutor) -> None:
    world = World(tmp_path, worker)
    world.append(range(8))
    damage(world, "value = 'abc'", 2)
    damage(world, "time_ns = 'abc'", 3)
    damage(world, "row = 'x'", 4)

    def look(most: int) -> object:
        return world.store.look(lambda db: row.each_unsound(db, 1, most))

    assert look(10) == (("2", 2), ("3", None), ("x", 4))
    assert look(1) == (("2", 2),)
    world.close()
