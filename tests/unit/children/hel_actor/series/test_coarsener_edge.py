"""Coarser series where 64 bits and doubles end: nothing stops a rule, and finer rows stay."""

import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hel_actor.series import downsampling, journal, percentile, series, window
from hel_actor.series.coarsener import CROWDED, ENDLESS, UNSAID, Coarsener
from hel_actor.series.downsampling import Rule, Wanted
from hel_actor.series.journal import Appended, Batch, Quota
from hel_actor.series.query import Cursor
from hel_actor.series.series import MAX_NS, MIN_NS, S_NS, US_NS
from hel_actor.series.store import Reading
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.children.hel_actor import series_plain
from tests.unit.children.hel_actor.series_plain import GREATEST, Row
from tests.unit.children.hel_actor.series_world import ALL, LOG, WINDOW_NS, World, answer

QUOTA = Quota(10**9, 4)
NOW_NS = 1_700_000_000 * S_NS


class Coarse:
    """A source and its coarser series; each has names of its own in a world that goes on."""

    numbers = 0

    def __init__(self, world: World, every_ns: int, statistic: str) -> None:
        Coarse.numbers += 1
        self.source, self.target = f"t{Coarse.numbers}", f"c{Coarse.numbers}"
        self._world = world
        self._coarsener = Coarsener(world.store, world.grow, WINDOW_NS, world.clock, LOG)
        rule = self.declare(every_ns, statistic)
        self._id = rule.source

    def declare(self, every_ns: int, statistic: str) -> Rule:
        wanted = Wanted(self.target, every_ns, statistic)
        rule = self._world.database.submit(
            lambda db: downsampling.declare(db, "tool", self.source, wanted, QUOTA)
        ).result(20)
        assert isinstance(rule, Rule)
        return rule

    def append(self, rows: Sequence[tuple[int, float]]) -> None:
        batch = Batch([(*row, 0) for row in rows])
        done = self._world.database.submit(
            lambda db: journal.append(db, "tool", self.source, batch, QUOTA)
        )
        assert isinstance(done.result(20), Appended)

    def carried_out(self) -> Rule:
        answer(self._coarsener.coarsen(self._id, lambda *_: None))
        (rule,) = self._world.store.look(lambda reader: downsampling.rules(reader, self._id))
        return rule

    def checkpoint(self) -> None:
        while self._world.store.checkpoint(self._id):
            pass

    def ended(self) -> bool:
        return self._world.database.submit(
            lambda db: downsampling.end(db, "tool", self.source, self.target)
        ).result(20)

    def rows_in_blocks(self, name: str) -> list[int]:
        """The times of all, however many one reading may have."""
        cursor: Cursor | None = Cursor(MIN_NS)
        times: list[int] = []
        while cursor is not None:
            steps = self._world.queries.block("tool", name, cursor, MAX_NS, 3)
            block = answer(steps)
            times += block.rows.times.tolist()
            cursor = block.following
        return times

    def rows(self, name: str) -> list[tuple[int, float]]:
        found = answer(self._world.queries.read("tool", name, Reading(ALL)))
        return list(zip(found.times.tolist(), found.values.tolist(), strict=True))


@pytest.mark.parametrize(
    ("oldest_ns", "every_s", "first", "kept_s"),
    [
        (-9_200_000_000 * S_NS, 4_000_000_000, "1589-09-26T02:40:00Z", []),
        (MIN_NS + 1, 700_000_000, "1659-06-14T01:46:40Z", []),
        (MIN_NS + 1, 60, "1677-09-21T00:12:00Z", []),
        (-9_223_372_020 * S_NS, 60, "", [-9_223_372_020]),
    ],
)
def test_windows_that_64_bits_cannot_say_are_left_out_and_told_once(
    world: World,
    caplog: pytest.LogCaptureFixture,
    oldest_ns: int,
    every_s: int,
    first: str,
    kept_s: list[int],
) -> None:
    coarse = Coarse(world, every_s * S_NS, "count")
    rows = [(oldest_ns, 1.0), (0, 2.0), (NOW_NS - 1, 3.0)]
    with caplog.at_level(logging.WARNING, LOG.name):
        coarse.append(rows)
        done_ns = coarse.carried_out().done_ns
        assert coarse.carried_out().done_ns == done_ns
    assert done_ns == window.window_of(NOW_NS - 1 - WINDOW_NS, every_s * S_NS)
    kept = [*kept_s, 0] if done_ns > 0 else kept_s
    assert coarse.rows(coarse.target) == [(start_s * S_NS, 1.0) for start_s in kept]
    assert coarse.rows(coarse.source) == rows
    told = [f"the first one begins at {first}: {UNSAID}"] if first else []
    assert [record.message.partition("; ")[2] for record in caplog.records] == told


def test_numbers_that_no_row_may_hold_are_left_out_and_told_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    coarse = Coarse(world, S_NS, "sum")
    endless = [(S_NS + 1, GREATEST), (S_NS + 2, GREATEST)]
    rows = [(1, 5.0), *endless, (2 * S_NS, 7.0)]
    with caplog.at_level(logging.WARNING, LOG.name):
        coarse.append([*rows, (4 * S_NS, 1.0)])
        coarse.carried_out()
        coarse.append([(5 * S_NS, GREATEST), (5 * S_NS + 1, GREATEST), (9 * S_NS, 1.0)])
        done_ns = coarse.carried_out().done_ns
    assert done_ns == 8 * S_NS
    assert coarse.rows(coarse.target) == [(0, 5.0), (2 * S_NS, 7.0), (4 * S_NS, 1.0)]
    (record,) = caplog.records
    assert record.message == (
        f"'tool/{coarse.target}' leaves out windows of '{coarse.source}', which keeps their rows; "
        f"the first one begins at 1970-01-01T00:00:01Z: {ENDLESS}"
    )


@pytest.mark.parametrize("crowded_s", [[], [3], [0, 5], [0, 1, 2, 3, 4, 5]])
def test_windows_with_too_many_rows_for_a_percentile_are_left_out_and_told_once(
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    crowded_s: list[int],
) -> None:
    monkeypatch.setattr(percentile, "MAX_KEPT_ROWS", 8)
    coarse = Coarse(world, S_NS, "p50")
    counts = {second: 9 if second in crowded_s else 3 for second in range(6)}
    times = [second * S_NS + n for second, count in counts.items() for n in range(count)]
    with caplog.at_level(logging.WARNING, LOG.name):
        coarse.append([(time_ns, 1.0) for time_ns in [*times, 7 * S_NS]])
        assert coarse.carried_out().done_ns == 6 * S_NS
    kept = [second for second in range(6) if second not in crowded_s]
    assert coarse.rows(coarse.target) == [(second * S_NS, 1.0) for second in kept]
    told = [record.message for record in caplog.records]
    assert len(told) == min(1, len(crowded_s))
    assert all(f":0{crowded_s[0]}Z: {CROWDED}" in each for each in told)


def test_a_series_that_is_made_coarser_anew_has_no_window_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows it has: here those of windows that were shorter."""
    monkeypatch.setattr(series, "MAX_ROWS", 4)
    coarse = Coarse(world, S_NS, "count")
    coarse.append([(second * S_NS, 1.0) for second in range(60)])
    coarse.carried_out()
    before = coarse.rows_in_blocks(coarse.target)
    assert len(before) == 58
    assert coarse.ended()
    coarse.declare(10 * S_NS, "count")
    assert coarse.carried_out().done_ns == 50 * S_NS
    assert coarse.rows_in_blocks(coarse.target) == before


TIMES = (
    st.integers(MIN_NS + 1, MAX_NS - 1)
    | st.integers(MIN_NS + 1, MIN_NS + 100 * S_NS)
    | st.integers(MAX_NS - 100 * S_NS, MAX_NS - 1)
    | st.integers(NOW_NS - 100, NOW_NS + 100)
)
LENGTHS = (
    st.integers(1, MAX_NS // 2 // US_NS)
    | st.integers(1, 10**9)
    | st.integers(4 * 10**15, 46 * 10**14)
).map(lambda length_us: length_us * US_NS)


@pytest.fixture(scope="module", params=[False, True], ids=["set", "never-set"])
def long_lived(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[World]:
    worker = ThreadPoolExecutor(1)
    world = World(tmp_path_factory.mktemp("world"), worker)
    if request.param:  # Then no row is of the future.
        world.clock.turn(-NOW_NS / S_NS)
    yield world
    world.close()
    worker.shutdown()


ANY = st.sampled_from([*series_plain.STATISTICS, *series_plain.PERCENTILES])
FAR_S = 2_252_000


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(TIMES, series_plain.VALUES), min_size=1, max_size=12),
    every_ns=LENGTHS,
    cut=st.integers(0, 12),
    statistic=ANY,
)
@example([(-9_200_000_000 * S_NS, 1.0), (NOW_NS - 1, 1.0)], 4_000_000_000 * S_NS, 2, "mean")
@example([(MIN_NS + 1, 1.0), (MAX_NS - 1, 1.0)], US_NS, 1, "sum")
@example([(-4095 * FAR_S * S_NS, 1.0), (FAR_S * S_NS, 2.0), (NOW_NS, 0.0)], FAR_S * S_NS, 0, "p5")
@example([(NOW_NS - 1, 1.0)] * 2, 4_293_518_000_000_007_000, 1, "count")
@example([(0, GREATEST), (1, GREATEST), (2, -GREATEST), (NOW_NS, 1.0)], S_NS, 3, "sum")
@example([(0, -GREATEST), (1, GREATEST), (NOW_NS, 1.0)], S_NS, 2, "p50")
def test_every_window_that_may_have_a_row_is_there_once(
    long_lived: World, rows: list[Row], every_ns: int, cut: int, statistic: str
) -> None:
    """Whatever the rows; but for late ones, which change nothing."""
    world = long_lived
    coarse = Coarse(world, every_ns, statistic)
    rows = sorted(rows, key=lambda row: row[0])
    for part in (rows[:cut], rows[cut:]):
        coarse.append(part)
        coarse.checkpoint()
        rule = coarse.carried_out()
    future_ns = NOW_NS + 1 if world.clock.now_ns() else MAX_NS
    past = [row for row in rows if row[0] < future_ns]
    end_ns = window.window_of(past[-1][0] - WINDOW_NS, every_ns) if past else MIN_NS
    assert rule.done_ns == max(MIN_NS, end_ns)
    assert coarse.rows(coarse.source) == rows
    found = dict(coarse.rows(coarse.target))
    assert len(found) == len(coarse.rows(coarse.target))
    windows: dict[int, list[Row]] = {}
    for row in past:
        windows.setdefault(window.window_of(row[0], every_ns), []).append(row)
    for start_ns, its in windows.items():
        value = found.pop(start_ns, None)
        if value is not None:
            assert math.isfinite(value)
            assert series_plain.is_number(statistic, its, value)
        elif start_ns > MIN_NS and start_ns + every_ns <= end_ns:
            endless = (math.inf, -math.inf, math.nan)
            assert any(series_plain.is_number(statistic, its, each) for each in endless)
    assert not found
