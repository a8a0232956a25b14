"""What a script is told of a series as a whole, and what of it needs the files."""

import json
from random import Random

import pytest
from hel_actor.messages import SeriesSummary
from hel_actor.series import journal, query
from hel_actor.series.journal import Quota
from hel_actor.series.series import S_NS
from hel_actor.series.summary import summarized

from loki.errors import ErrorCode, IoError
from tests.unit.children.hel_actor.series_world import CHUNK_ROWS, World, answer


def describe(world: World, interval_s: float = 1) -> None:
    text = json.dumps({"interval_s": interval_s})
    quota = Quota(10, CHUNK_ROWS)
    world.database.submit(lambda db: journal.describe(db, "tool", "t", text, quota)).result(20)


def remove(world: World) -> None:
    world.database.submit(lambda db: db.execute("DELETE FROM series WHERE id = 1")).result(20)


def summary(world: World) -> SeriesSummary:
    return answer(summarized(world.store, "tool", "t"))


@pytest.mark.parametrize("times", [1, 7, 16, 40, 1000])
@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_duplicates_hide_no_gap_wherever_the_rows_are(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int, order: str
) -> None:
    """In files, whose times overlap where rows came in any order, and in the journal."""
    monkeypatch.setattr(query, "TIMES", times)
    describe(world)
    rows = [n * S_NS for n in range(100) if n not in (5, 50, 51, 98)]
    rows += [n * S_NS for n in (3, 4, 4, 6, 7, 7, 7, 52, 99)]
    if order == "sorted":
        rows.sort()
    else:
        Random(3).shuffle(rows)
    world.append(rows)
    assert summary(world).missing == 4
    assert world.checkpoint() > 0
    assert 0 < world.waiting() < len(rows)
    found = summary(world)
    assert (found.missing, found.rows, found.oldest, found.newest) == (4, 105, 0.0, 99.0)


def test_more_rows_of_one_time_than_are_looked_at_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "TIMES", 8)
    describe(world)
    world.append([0, *[2 * S_NS] * 50, 3 * S_NS])
    world.checkpoint()
    assert summary(world).missing == 1


def test_nothing_is_missing_of_what_is_empty_and_nil_of_what_is_irregular(world: World) -> None:
    describe(world)
    assert summary(world).missing == 0
    world.append([0, 5 * S_NS])
    assert summary(world).missing == 4
    describe(world, 0.5)
    assert summary(world).missing == 9
    world.append([0, 5 * S_NS], name="u")
    assert answer(summarized(world.store, "tool", "u")).missing is None


def test_others_take_their_turns_meanwhile(world: World) -> None:
    describe(world)
    world.append([n * S_NS for n in range(100)])
    world.checkpoint()
    steps = summarized(world.store, "tool", "t")
    next(steps)
    world.append([200 * S_NS])  # Behind the newest row of which the rest is told.
    found = answer(steps)
    assert (found.rows, found.newest, found.missing) == (100, 99.0, 0)


def test_damaged_files_leave_all_else_known(world: World) -> None:
    describe(world)
    world.append([n * S_NS for n in range(100)])
    world.checkpoint()
    (world.folder / "series/tool/t/time/c/1").write_bytes(b"damaged")
    found = summary(world)
    assert (found.rows, found.newest, found.missing) == (100, 99.0, None)
    (world.folder / "series/tool/t/value/c/0").unlink()
    with pytest.raises(IoError, match="cannot be read"):
        world.times()


@pytest.mark.parametrize("again", [True, False])
def test_one_that_is_removed_meanwhile_is_mixed_with_no_other(world: World, again: bool) -> None:
    describe(world)
    world.append([n * S_NS for n in range(100)])
    world.checkpoint()
    steps = summarized(world.store, "tool", "t")
    next(steps)
    remove(world)
    if again:
        describe(world)
    with pytest.raises(IoError) as gone:
        answer(steps)
    assert gone.value.code is ErrorCode.NOT_FOUND
