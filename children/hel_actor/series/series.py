"""What is decided about time series: names, times, which rows are written when, which are read.

Theory of operation: a row is acknowledged when the journal, a table in SQLite, has it. Rows wait
there until a whole chunk of them is settled; then the chunk becomes files that never change, and
its rows leave the journal. Rows may come late: what is younger than the newest row by no more than
a window still waits, so that the files are sorted by time. A row that comes later than that is
kept all the same; it only stands in a chunk whose times overlap those of others, and whoever reads
sorts. Times are whole nanoseconds since 1970, UTC, in a signed 64-bit integer.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, takewhile
from typing import TypeAlias

from loki.errors import InvalidArgument

MIN_NS, MAX_NS = -(2**63), 2**63 - 1
S_NS = 1_000_000_000
US_NS = 1000
DAY_NS = 24 * 3600 * S_NS
PLAUSIBLE_NS = 1_577_836_800 * S_NS  # 2020. A device whose clock says less was never told.
AHEAD_NS = DAY_NS
BEYOND_S = 1e10  # More than 64 bits of nanoseconds hold; no product of it is infinite.
HELD_CHUNKS = 4
"""A window full of rows holds back no more than this: memory and reads stay bounded."""
JOURNAL_CHUNKS, JOURNAL_ROWS = 64, 100_000
"""More rows than both do not wait: by then, writing files fails, or is slower than appending."""
COMMITTED_ROWS, COMMITTED_CHUNKS = 32_768, 16
"""Neither more rows nor more chunks leave the journal at once: a chunk takes three fsyncs."""
MAX_ROWS = 50_000
"""Of one reading."""
MAX_APPENDED = 10_000
"""Rows of one call, which are looked at by the thread that answers everybody."""
BLOCK_ROWS = 65_536
"""Read at once, but for a chunk that has more: some megabytes, and a hundredth of a second."""
MAX_ATTRIBUTES_BYTES = 4096
INTERVAL = "interval_s"
"""The attribute of a regular series: seconds from one row to the next."""
SHORTEST_INTERVAL_S = 1e-6

Attribute: TypeAlias = bool | int | float | str

_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
# Source: the Zarr v3 core specification, node names; and the name of its own files.
_RESERVED = re.compile(r"__.*|zarr\.json")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows in files: `number` counts from the first one ever; both times are of rows in it."""

    number: int
    oldest_ns: int
    newest_ns: int
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of each series is kept. The oldest rows go, whole chunks at a time."""

    age_ns: int
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Stock:
    """What the files of a series are together: none of them needs a look for that."""

    chunks: int
    size_bytes: int
    first_newest_ns: int | None
    """The newest row of the first chunk that has none of the future; None where there is none."""


@dataclass(frozen=True, slots=True)
class Span:
    """Times from `start_ns` on and before `end_ns`."""

    start_ns: int
    end_ns: int


def checked_name(name: str) -> str:
    """Raises: InvalidArgument for what cannot be a series' name and the name of its directory."""
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise InvalidArgument(
            f"{name[:80]!r} is no name of a series: 1 to 64 of a-z, A-Z, 0-9 and _ . - are "
            "allowed, not . or - first, not __ first, and not zarr.json",
            details={"field": "name"},
        )
    return name


def checked_value(value: float) -> float:
    """Raises: InvalidArgument for what is no number, or infinite."""
    if not math.isfinite(value):
        raise InvalidArgument(
            f"value is {value}; a series holds finite numbers only", details={"field": "value"}
        )
    return value


def checked_quality(quality: int) -> int:
    """Raises: InvalidArgument for what does not fit into a byte."""
    if not 0 <= quality <= 255:
        raise InvalidArgument(
            f"quality is {quality}; 0 (good) to 255 are allowed", details={"field": "quality"}
        )
    return quality


def row_time_ns(time_s: float | None, now_ns: int) -> int:
    """The time of a row, to the microsecond: no double has more, at the times we live in.

    Raises: InvalidArgument for what is no time, or more than a day ahead of the device's clock.
    """
    if time_s is None:
        return now_ns // US_NS * US_NS
    time_ns = nanoseconds(time_s) if math.isfinite(time_s) else None
    if time_ns is None or not MIN_NS < time_ns < MAX_NS:
        raise InvalidArgument(
            f"time is {time_s:g}; it is in seconds since 1970, from 1678 to 2262",
            details={"field": "time"},
        )
    if time_ns > now_ns + AHEAD_NS and now_ns > PLAUSIBLE_NS:
        raise InvalidArgument(
            f"time is {time_s:.0f}, more than a day ahead of the device's clock; "
            "it is in seconds since 1970",
            details={"field": "time"},
        )
    return time_ns


def future_ns(now_ns: int) -> int:
    """The first time that has not come yet; none, MAX_NS, for a clock that was never set."""
    return now_ns + 1 if now_ns > PLAUSIBLE_NS else MAX_NS


def span(start_s: float | None, end_s: float | None) -> Span:
    """From `start_s` on and before `end_s`; None, or what no series can hold, is no bound.

    Raises: InvalidArgument for what is no time, or an end before the start.
    """
    start_ns = MIN_NS if start_s is None else _bound_ns(start_s, "from")
    end_ns = MAX_NS if end_s is None else _bound_ns(end_s, "to")
    if end_ns < start_ns:
        raise InvalidArgument(
            f"to is {end_s:.6f}, which is before from, {start_s:.6f}", details={"field": "to"}
        )
    return Span(start_ns, end_ns)


def _bound_ns(time_s: float, field: str) -> int:
    if math.isnan(time_s):
        raise InvalidArgument(f"{field} is not a number", details={"field": field})
    return max(MIN_NS, min(MAX_NS, nanoseconds(time_s)))


def nanoseconds(time_s: float) -> int:
    """To the microsecond; of what is beyond 64 bits, something that is beyond them too."""
    return round(max(-BEYOND_S, min(BEYOND_S, time_s)) * 1e6) * US_NS


def seconds(time_ns: int) -> float:
    """What `row_time_ns` makes this time of again, where it is a whole microsecond."""
    return time_ns // US_NS / 1e6  # Divided once, of a number that a double holds exactly.


def checked_attributes(attributes: Mapping[str, Attribute]) -> str:
    """As JSON. Raises: InvalidArgument for names that are not allowed, and for too much."""
    for name, value in attributes.items():
        if not _ATTRIBUTE.fullmatch(name) or name.startswith("loki_"):
            raise InvalidArgument(
                f"attribute '{name[:80]}': a name has 1 to 64 of a-z, A-Z, 0-9 and _, no "
                "digit first, and not loki_",
                details={"field": "attributes"},
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidArgument(
                f"attribute '{name}' is {value}, no finite number", details={"field": "attributes"}
            )
    interval_s = attributes.get(INTERVAL, 1)
    if isinstance(interval_s, bool | str) or interval_s < SHORTEST_INTERVAL_S:
        raise InvalidArgument(
            f"attribute '{INTERVAL}' is {interval_s!r}; it is the seconds from one row to the "
            f"next, at least {SHORTEST_INTERVAL_S:f}",
            details={"field": "attributes"},
        )
    text = json.dumps(dict(attributes), ensure_ascii=False)
    if len(text.encode()) > MAX_ATTRIBUTES_BYTES:
        raise InvalidArgument(
            f"attributes take more than {MAX_ATTRIBUTES_BYTES} bytes as JSON",
            details={"field": "attributes"},
        )
    return text


def ready(waiting: int, settled: int, chunk_rows: int) -> int:
    """How many of the oldest rows that wait become files now: whole chunks.

    `settled` of them are older than the newest one by the time that rows may be late.
    """
    overdue = waiting - HELD_CHUNKS * chunk_rows
    return min(max(settled, overdue) // chunk_rows * chunk_rows, at_once(chunk_rows))


def at_once(chunk_rows: int) -> int:
    """Rows that leave the journal at once at most: queries wait for their files, all others for
    the transaction.
    """
    return max(1, min(COMMITTED_ROWS // chunk_rows, COMMITTED_CHUNKS)) * chunk_rows


def most_waiting(chunk_rows: int) -> int:
    """Rows of one series that may wait for their files."""
    return max(JOURNAL_CHUNKS * chunk_rows, JOURNAL_ROWS)


def worth_a_look(before: int, after: int, chunk_rows: int) -> bool:
    """Whether rows that came in may have made a chunk ready; asked eight times a chunk at most."""
    step = max(1, chunk_rows // 8)
    return after >= chunk_rows and before // step != after // step


def cut(
    times_ns: Sequence[int], first_number: int, chunk_rows: int, sizes_bytes: Sequence[int]
) -> tuple[Chunk, ...]:
    """The chunks that these sorted rows make, one for each of `sizes_bytes`."""
    return tuple(
        Chunk(
            first_number + index,
            times_ns[index * chunk_rows],
            times_ns[(index + 1) * chunk_rows - 1],
            size_bytes,
        )
        for index, size_bytes in enumerate(sizes_bytes)
    )


def before(chunks: Sequence[Chunk], time_ns: int) -> int:
    """How many of the first chunks have no row from that time on."""
    return next((n for n, each in enumerate(chunks) if each.newest_ns >= time_ns), len(chunks))


def exceeds(stock: Stock, chunk_rows: int, waiting: int, now_ns: int, keep: Retention) -> bool:
    """Whether any chunk is superfluous: asked with each checkpoint, of however many chunks."""
    if not stock.chunks:
        return False
    first_ns = stock.first_newest_ns
    return (
        (first_ns is not None and is_too_old(first_ns, now_ns, keep))
        or stock.chunks * chunk_rows + waiting > keep.rows
        or stock.size_bytes > keep.size_bytes
    )


def is_too_old(first_newest_ns: int, now_ns: int, keep: Retention) -> bool:
    """By a sixteenth of the age; then all goes that is older than the age."""
    return first_newest_ns < now_ns - keep.age_ns - keep.age_ns // 16


def _too_old(chunks: Sequence[Chunk], now_ns: int, keep: Retention) -> int:
    """How many of the first chunks go for their age.

    That of rows of the future, of a clock that was wrong, is not known: they go with what comes
    next, and hold up nothing.
    """
    dated = [(n, each.newest_ns) for n, each in enumerate(chunks) if each.newest_ns <= now_ns]
    if not dated or not is_too_old(dated[0][1], now_ns, keep):
        return 0
    old = takewhile(lambda each: each[1] < now_ns - keep.age_ns, dated)
    return 1 + max(n for n, _ in old)


def superfluous(
    chunks: Sequence[Chunk], chunk_rows: int, waiting: int, now_ns: int, keep: Retention
) -> int:
    """How many of the first chunks go.

    Forgetting makes work, so none goes before there is a sixteenth too much: too old by that part
    of the age; or more rows or bytes than allowed, and then down to fifteen sixteenths.
    """
    count = _too_old(chunks, now_ns, keep)
    excess = len(chunks) * chunk_rows + waiting - keep.rows
    if excess > 0:
        count = max(count, math.ceil((excess + keep.rows // 16) / chunk_rows))
    excess = sum(each.size_bytes for each in chunks) - keep.size_bytes
    if excess > 0:
        enough = excess + keep.size_bytes // 16
        gone = accumulate(each.size_bytes for each in chunks)
        count = max(count, 1 + sum(1 for size_bytes in gone if size_bytes < enough))
    return min(count, len(chunks))


def droppable(
    chunks: Sequence[Chunk],
    chunk_rows: int,
    waiting: int,
    now_ns: int,
    keep: Retention,
    done_ns: int,
) -> int:
    """How many of the first chunks go, where coarser series have what is before `done_ns`.

    Those whose rows are not there yet stay; but only up to a quarter beyond the limits: where the
    coarser series cannot be written, this one must not fill the disk.
    """
    wanted = superfluous(chunks, chunk_rows, waiting, now_ns, keep)
    done = next((n for n, each in enumerate(chunks) if each.newest_ns >= done_ns), len(chunks))
    if wanted <= done:
        return wanted
    stretched = Retention(
        keep.age_ns + keep.age_ns // 4,
        keep.rows + keep.rows // 4,
        keep.size_bytes + keep.size_bytes // 4,
    )
    return max(done, superfluous(chunks, chunk_rows, waiting, now_ns, stretched))


def overtaken(chunks: Sequence[Chunk], count: int, done_ns: int) -> bool:
    """Whether the first `count` have rows that coarser series do not have yet."""
    return any(chunk.newest_ns >= done_ns for chunk in chunks[:count])


def needed(chunks: Iterable[Chunk], within: Span) -> tuple[Chunk, ...]:
    """Those that may have a row in this span, by number."""
    return tuple(
        chunk
        for chunk in chunks
        if chunk.newest_ns >= within.start_ns and chunk.oldest_ns < within.end_ns
    )


def narrowed(
    chunks: Iterable[Chunk], within: Span, limit: int, newest: bool, chunk_rows: int
) -> Span:
    """The part of a span that surely has its first `limit` rows, or its last ones.

    It ends where so many chunks have ended that their rows are enough, whatever the others hold.
    """
    enough = -(-limit // chunk_rows)
    whole = [
        chunk
        for chunk in chunks
        if chunk.oldest_ns >= within.start_ns and chunk.newest_ns < within.end_ns
    ]
    if len(whole) < enough:
        return within
    if newest:
        starts = sorted((chunk.oldest_ns for chunk in whole), reverse=True)
        return Span(starts[enough - 1], within.end_ns)
    return Span(within.start_ns, sorted(chunk.newest_ns for chunk in whole)[enough - 1] + 1)


def left_after(chunks: Sequence[Chunk]) -> dict[int, int]:
    """Chunk number -> the first time of any chunk that comes later in this order."""
    left, oldest_ns = {}, MAX_NS
    for chunk in reversed(chunks):
        left[chunk.number] = oldest_ns
        oldest_ns = min(oldest_ns, chunk.oldest_ns)
    return left


def runs(numbers: Sequence[int], chunk_rows: int) -> Iterator[tuple[int, int]]:
    """Numbers as (first, count) of neighbours, each to be read at once, in the same order."""
    most = max(1, BLOCK_ROWS // chunk_rows)
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        block = [number for _, number in group]
        for start in range(0, len(block), most):
            yield block[start], len(block[start : start + most])


def regular_s(attributes: Mapping[str, Attribute]) -> float | None:
    """Seconds from one row of a regular series to the next; None for an irregular one."""
    interval_s = attributes.get(INTERVAL)
    if isinstance(interval_s, bool | str | None):
        return None
    return max(interval_s, SHORTEST_INTERVAL_S)  # An older version took any.
