"""The decisions about time series, as tables and properties."""

import json
import math
from dataclasses import replace

import pytest
from hel_actor.series import series
from hel_actor.series.series import MAX_NS, MIN_NS, S_NS, Chunk, Retention, Span, Stock
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import InvalidArgument

NOW_NS = 1_700_000_000 * S_NS


@pytest.mark.parametrize("name", ["t", "greenhouse.temperature", "a-b_c", "0", "x" * 64, "_a"])
def test_names_that_are_good(name: str) -> None:
    assert series.checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".a",
        "-a",
        "a/b",
        "a b",
        "ä",
        "a\0",
        "a\n",
        "x" * 65,
        "__a",
        "zarr.json",
        "a~1",
    ],
)
def test_names_that_are_no_names_of_directories(name: str) -> None:
    with pytest.raises(InvalidArgument, match="no name of a series") as caught:
        series.checked_name(name)
    assert caught.value.message.isprintable(), "it goes to terminals and logs"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_no_value(value: float) -> None:
    with pytest.raises(InvalidArgument, match="finite"):
        series.checked_value(value)
    assert series.checked_value(-0.5) == -0.5


@pytest.mark.parametrize("quality", [-1, 256])
def test_quality_is_a_byte(quality: int) -> None:
    with pytest.raises(InvalidArgument, match="quality"):
        series.checked_quality(quality)
    assert [series.checked_quality(good) for good in (0, 255)] == [0, 255]


@pytest.mark.parametrize(
    ("time_s", "now_ns", "time_ns"),
    [
        (None, NOW_NS + 1999, NOW_NS + 1000),
        (0.0, NOW_NS, 0),
        (-1.5, NOW_NS, -1_500_000_000),
        (1_700_000_000.1, NOW_NS, 1_700_000_000_100_000_000),
        (1_700_086_400.0, NOW_NS, 1_700_086_400 * S_NS),
        # A device that was never told the time may still hear it from elsewhere.
        (1_700_000_000.0, 42 * S_NS, 1_700_000_000 * S_NS),
    ],
)
def test_times_are_taken_to_the_microsecond(
    time_s: float | None, now_ns: int, time_ns: int
) -> None:
    assert series.row_time_ns(time_s, now_ns) == time_ns


@pytest.mark.parametrize(
    ("time_s", "reason"),
    [
        (math.nan, "seconds since 1970"),
        (math.inf, "seconds since 1970"),
        (1e300, "from 1678 to 2262"),
        (-1.7e308, "from 1678 to 2262"),
        (9_223_372_037.0, "from 1678 to 2262"),
        (1_700_086_401.0, "ahead of the device's clock"),
        (1_700_000_000_000.0, "seconds since 1970"),
    ],
)
def test_times_that_are_none(time_s: float, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        series.row_time_ns(time_s, NOW_NS)


@pytest.mark.parametrize(
    ("now_ns", "first_ns"), [(NOW_NS, NOW_NS + 1), (0, series.MAX_NS), (99, series.MAX_NS)]
)
def test_the_future_begins_behind_now_where_now_is_known(now_ns: int, first_ns: int) -> None:
    assert series.future_ns(now_ns) == first_ns


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_time_that_was_read_finds_its_row_again(time_us: int) -> None:
    time_ns = time_us * 1000
    assert series.row_time_ns(series.seconds(time_ns), time_ns) == time_ns


@pytest.mark.parametrize(
    ("start_s", "end_s", "span"),
    [
        (None, None, Span(MIN_NS, MAX_NS)),
        (-math.inf, math.inf, Span(MIN_NS, MAX_NS)),
        (1.5, 1.5, Span(1_500_000_000, 1_500_000_000)),
        (-1e300, 1e300, Span(MIN_NS, MAX_NS)),
        (-1.7e308, 1.7e308, Span(MIN_NS, MAX_NS)),
    ],
)
def test_spans(start_s: float | None, end_s: float | None, span: Span) -> None:
    assert series.span(start_s, end_s) == span


@pytest.mark.parametrize(
    ("start_s", "end_s", "reason"),
    [(math.nan, 1.0, "from is not"), (1.0, math.nan, "to is not"), (2.0, 1.0, "before from")],
)
def test_spans_that_are_none(start_s: float, end_s: float, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        series.span(start_s, end_s)


def test_attributes_become_json() -> None:
    given = {"unit": "°C", "height_m": 2.5, "floor": 3, "inside": True}
    assert json.loads(series.checked_attributes(given)) == given
    assert series.checked_attributes({}) == "{}"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"": "x"}, "a name has"),
        ({"9a": "x"}, "a name has"),
        ({"a b": "x"}, "a name has"),
        ({"loki_series": "x"}, "not loki_"),
        ({"a": math.nan}, "no finite number"),
        ({"a": "x" * 4096}, "4096 bytes"),
    ],
)
def test_attributes_that_are_refused(attributes: dict[str, str | float], reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        series.checked_attributes(attributes)


@pytest.mark.parametrize(
    ("waiting", "settled", "count"),
    [
        (0, 0, 0),
        (3, 3, 0),  # No whole chunk of 4.
        (4, 4, 4),
        (5, 3, 0),  # The others may still be overtaken.
        (9, 8, 8),
        (16, 0, 0),
        (20, 0, 4),  # Held back for long enough.
        (23, 1, 4),
        (23, 6, 4),
    ],
)
def test_only_whole_chunks_that_are_settled_become_files(
    waiting: int, settled: int, count: int
) -> None:
    assert series.ready(waiting, settled, 4) == count


@pytest.mark.parametrize(
    ("before", "after", "worth"),
    [(0, 7, False), (7, 8, True), (8, 8, False), (8, 9, True), (0, 99, True), (6, 7, False)],
)
def test_a_look_is_worth_it_now_and_then(before: int, after: int, worth: bool) -> None:
    assert series.worth_a_look(before, after, 8) is worth


def test_a_transaction_takes_so_many_rows_and_chunks() -> None:
    assert [series.at_once(rows) for rows in (16, 1024, 8192, 20_000, 99_999)] == [
        256,
        16_384,
        32_768,
        20_000,
        99_999,
    ]
    assert series.ready(100_000, 99_990, 8192) == 32_768


def test_many_rows_may_wait_and_more_of_large_chunks() -> None:
    assert [series.most_waiting(rows) for rows in (16, 8192)] == [100_000, 524_288]


def test_looks_are_rare_in_large_chunks() -> None:
    looks = [n for n in range(8192, 16384) if series.worth_a_look(n, n + 1, 8192)]
    assert len(looks) == 8


def test_rows_are_cut_into_chunks() -> None:
    chunks = (Chunk(7, 1, 3, 100), Chunk(8, 4, 6, 200))
    assert series.cut([1, 2, 3, 4, 5, 6], 7, 3, [100, 200]) == chunks
    assert series.cut([], 7, 3, []) == ()


HUNDRED = [Chunk(n, 10 * n, 10 * n + 9, 100) for n in range(100)]  # 10 rows each, to time 999.
FOREVER = Retention(10**6, 10**6, 10**6)


@pytest.mark.parametrize(
    ("now", "keep", "count"),
    [
        (1000, FOREVER, 0),
        # Older than 320: at 1000 that is before 680, but not yet at 349, a sixteenth later.
        (1000, replace(FOREVER, age_ns=320), 68),
        (349, replace(FOREVER, age_ns=320), 0),
        (350, replace(FOREVER, age_ns=320), 3),
        (10**9, replace(FOREVER, age_ns=320), 100),
        (series.MIN_NS, Retention(320, 1004, 10_000), 7),  # A time that makes nothing old.
        (1000, replace(FOREVER, rows=1005), 0),
        (1000, replace(FOREVER, rows=1004), 7),  # 1 too many, and 62 that are a sixteenth.
        (1000, replace(FOREVER, rows=160), 86),
        (1000, replace(FOREVER, rows=5), 100),
        (1000, replace(FOREVER, size_bytes=10_000), 0),
        (1000, replace(FOREVER, size_bytes=9_999), 7),
        (1000, replace(FOREVER, size_bytes=1_600), 85),
        (1000, replace(FOREVER, size_bytes=1), 100),
        (1000, Retention(320, 1004, 9_999), 68),
    ],
)
def test_s_8_5_3_what_is_too_old_or_too_much_goes(now: int, keep: Retention, count: int) -> None:
    assert series.superfluous(HUNDRED, 10, 5, now, keep) == count
    assert series.exceeds(Stock(100, 10_000, 9), 10, 5, now, keep) is (count > 0)


@pytest.mark.parametrize(
    ("newest", "count"),
    [
        ([900, 9, 700], 2),  # The first has a row of the future.
        ([9, 900, 700], 1),
        ([9, 900, 19, 700], 3),
        ([9, 900], 1),
        ([900, 700, 9], 0),
        ([900, 900], 0),
    ],
)
def test_rows_of_the_future_hold_up_nothing_that_is_too_old(newest: list[int], count: int) -> None:
    chunks = [Chunk(n, 0, time_ns, 100) for n, time_ns in enumerate(newest)]
    keep = replace(FOREVER, age_ns=320)
    first = next((time_ns for time_ns in newest if time_ns <= 750), None)
    assert series.superfluous(chunks, 10, 0, 750, keep) == count
    assert series.exceeds(Stock(len(chunks), 0, first), 10, 0, 750, keep) is (count > 0)


def test_where_there_are_no_files_nothing_goes() -> None:
    assert series.superfluous([], 10, 99, 10**9, Retention(1, 1, 1)) == 0
    assert not series.exceeds(Stock(0, 0, None), 10, 99, 10**9, Retention(1, 1, 1))


TEN_ROWS = [Chunk(n, 10 * n, 10 * n + 9, 100) for n in range(8)]


@pytest.mark.parametrize(
    ("rows", "done", "count"),
    [
        (64, 80, 2),  # As without coarser series: sixteen rows too many, and a sixteenth.
        (64, 20, 2),
        (64, 19, 1),
        (64, 0, 0),
        (60, 0, 1),  # A quarter beyond the limit, and then no more.
        (40, 0, 4),
        (40, 35, 4),
        (40, 75, 5),
        (80, 0, 0),
    ],
)
def test_s_8_5_3_rows_stay_until_the_coarser_series_have_them(
    rows: int, done: int, count: int
) -> None:
    keep = Retention(10**9, rows, 10**9)
    assert series.droppable(TEN_ROWS, 10, 0, 100, keep, done) == count


CHUNKS = (Chunk(0, 0, 9), Chunk(1, 10, 19), Chunk(2, 5, 29))  # The last one holds a late row.


@pytest.mark.parametrize(
    ("span", "numbers"),
    [
        (Span(MIN_NS, MAX_NS), [0, 1, 2]),
        (Span(9, 10), [0, 2]),
        (Span(0, 5), [0]),
        (Span(20, 21), [2]),
        (Span(29, 30), [2]),
        (Span(30, 40), []),
        (Span(-5, 0), []),
        (Span(3, 3), [0]),
    ],
)
def test_only_chunks_that_may_have_rows_are_needed(span: Span, numbers: list[int]) -> None:
    assert [chunk.number for chunk in series.needed(CHUNKS, span)] == numbers


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([], []),
        ([3], [(3, 1)]),
        ([0, 1, 2, 3, 4], [(0, 2), (2, 2), (4, 1)]),
        ([0, 2, 3, 7], [(0, 1), (2, 2), (7, 1)]),
    ],
)
def test_neighbours_are_read_together(
    numbers: list[int], runs: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "BLOCK_ROWS", 20)
    assert list(series.runs(numbers, 10)) == runs


def test_a_chunk_with_more_rows_than_a_block_is_read_alone() -> None:
    assert list(series.runs([0, 1], 1_048_576)) == [(0, 1), (1, 1)]


@pytest.mark.parametrize(
    ("limit", "newest", "narrow"),
    [
        (1, False, Span(0, 10)),
        (10, False, Span(0, 10)),
        (11, False, Span(0, 20)),
        (21, False, Span(0, 30)),
        (31, False, Span(0, 100)),  # More than the chunks surely have.
        (1, True, Span(10, 100)),
        (11, True, Span(5, 100)),
        (21, True, Span(0, 100)),
    ],
)
def test_a_limit_needs_a_part_of_the_span(limit: int, newest: bool, narrow: Span) -> None:
    assert series.narrowed(CHUNKS, Span(0, 100), limit, newest, 10) == narrow


def test_chunks_that_are_only_partly_in_the_span_promise_no_rows() -> None:
    assert series.narrowed(CHUNKS, Span(1, 19), 1, False, 10) == Span(1, 19)
    assert series.narrowed(CHUNKS, Span(1, 20), 1, True, 10) == Span(10, 20)


def test_what_is_left_is_as_old_as_the_oldest_chunk_that_comes() -> None:
    assert series.left_after(CHUNKS) == {0: 5, 1: 5, 2: MAX_NS}
    assert list(series.runs([5, 6, 2, 3, 9], 1)) == [(5, 2), (2, 2), (9, 1)]


@pytest.mark.parametrize(
    ("attributes", "interval_s"),
    [
        ({}, None),
        ({"interval_s": 60}, 60),
        ({"interval_s": 0.5}, 0.5),
        ({"interval_s": 1e-300}, 1e-6),  # Of a version that took any, as the following.
        ({"interval_s": -1}, 1e-6),
        ({"interval_s": "1"}, None),
        ({"interval_s": True}, None),
    ],
)
def test_a_series_is_regular_where_its_interval_is_known(
    attributes: dict[str, series.Attribute], interval_s: float | None
) -> None:
    assert series.regular_s(attributes) == interval_s


@pytest.mark.parametrize("interval", [0, -1.0, 1e-7, "1", True])
def test_an_interval_is_a_length(interval: float | str) -> None:
    with pytest.raises(InvalidArgument, match="interval_s"):
        series.checked_attributes({"interval_s": interval})


def test_chunks_from_before_a_time_are_the_first_ones_without_a_later_row() -> None:
    chunks = [Chunk(n, n * 10, n * 10 + 9) for n in range(3)]
    assert [series.before(chunks, time_ns) for time_ns in (0, 9, 10, 29, 30)] == [0, 0, 1, 2, 3]
    assert series.before([Chunk(0, 0, 50), *chunks], 30) == 0
    assert series.before([], 30) == 0
