"""Time series beside bare zarr and bare SQLite: appends, one day of many, size, and memory.

A fifteenth of a year at 1 Hz, so that filling takes seconds; the day that is asked for stays a day.
Runs in a process of its own, where memory is that of the query alone.
"""

import ctypes
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from threading import Event
from typing import TypeVar

import msgspec
import numpy as np
import zarr
from hel_actor.database.database import Database
from hel_actor.schema import MIGRATIONS
from hel_actor.series import journal
from hel_actor.series.archive import Archive, Place
from hel_actor.series.column import Columns
from hel_actor.series.percentile import MAX_KEPT_ROWS
from hel_actor.series.query import Cursor, Queries
from hel_actor.series.reading import Reading
from hel_actor.series.series import DAY_NS, S_NS, Retention, Span
from hel_actor.series.store import Keeping, SeriesStore
from hel_actor.storage import Disk
from hel_actor.turns import Steps, Turns

from benchmarks.result import Figure, percentile
from loki.clock import SystemClock

T = TypeVar("T")

CHUNK_ROWS = 8192
# 1220 are ten million rows, 3850 a year at 1 Hz.
CHUNKS = int(os.environ.get("LOKI_BENCH_CHUNKS", "260"))
ROWS = CHUNKS * CHUNK_ROWS
START_NS = 1_700_000_000 * S_NS
DAY = Span(START_NS + 20 * DAY_NS, START_NS + 21 * DAY_NS)
ALL = Span(START_NS, START_NS + ROWS * S_NS)
MINUTE_NS = 60 * S_NS
ALL_NS = max(MINUTE_NS, ROWS * S_NS // 50_000)  # There are not more windows than that.
RANKED = Span(START_NS, START_NS + min(ROWS, MAX_KEPT_ROWS) * S_NS)
BLOCK_ROWS = 32_768
WAITING = 50
TURNS = 3
SINGLES = 300
ROUNDS = 5
SMALL_QUERIES = 20
QUOTA = journal.Quota(series=10, chunk_rows=CHUNK_ROWS)
KEEPING = Keeping(60 * S_NS, Retention(10**18, 10**9, 10**12))
MIB = 1 << 20


class HastyDisk(Disk):
    """For filling only: what is measured is not what was written here."""

    def write(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)

    def sync_directory(self, path: Path) -> None: ...


class Hel:
    """Hel's database and store with their threads, without messages."""

    def __init__(self, folder: Path) -> None:
        self._threads = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        path, log = folder / "hel.sqlite", logging.getLogger("bench")
        self.folder = folder / "series"
        self.database = Database(path, MIGRATIONS, self._threads[0], SystemClock(), log)
        submit = self.database.submit
        self.store = SeriesStore(
            self.database.reading, submit, self.folder, KEEPING, SystemClock(), log
        )

    def append(self, batch: journal.Batch) -> "Future[object]":
        return self.database.submit(
            lambda database: journal.append(database, "bench", "a", batch, QUOTA)
        )

    @property
    def series_thread(self) -> ThreadPoolExecutor:
        return self._threads[1]

    def in_series_thread(self, act: Callable[[], None]) -> "Future[None]":
        return self._threads[1].submit(act)

    def checkpoint(self, series: int) -> "Future[int]":
        return self._threads[1].submit(self.store.checkpoint, series)

    def close(self) -> None:
        self.database.close().result()
        for thread in self._threads:
            thread.shutdown()


def samples() -> Columns:
    """A temperature with a daily course and noise, to a hundredth, read once a second."""
    chance = np.random.default_rng(7)
    times = START_NS + np.arange(ROWS) * S_NS + chance.integers(0, 2000, ROWS) * 1000
    course = 20 + 5 * np.sin(np.arange(ROWS) / 86400 * 2 * np.pi)
    values = np.round(course + chance.normal(0, 0.1, ROWS), 2)
    return Columns(times, values, np.zeros(ROWS, np.uint8))


def batch(number: int) -> journal.Batch:
    return journal.Batch([(START_NS + number * S_NS, number * 0.5, 0)])


def our_appends(hel: Hel, start: int) -> float:
    """Rows a second, one a call, 50 callers; a chunk of them becomes files meanwhile."""
    begin = time.perf_counter()
    checkpoint = hel.checkpoint(1) if start else None
    for first in range(start, start + CHUNK_ROWS, WAITING):
        waiting = [hel.append(batch(first + n)) for n in range(WAITING)]
        for promise in waiting:
            promise.result()
    if checkpoint:
        checkpoint.result()
    return CHUNK_ROWS / (time.perf_counter() - begin)


def sqlite_appends(database: sqlite3.Connection, start: int) -> float:
    """The same rows in transactions of 50, with the same settings."""
    begin = time.perf_counter()
    for first in range(start, start + CHUNK_ROWS, WAITING):
        database.execute("BEGIN")
        for n in range(WAITING):
            database.execute("INSERT INTO row VALUES (NULL, ?, ?, ?)", batch(first + n).rows[0])
        database.execute("COMMIT")
    return CHUNK_ROWS / (time.perf_counter() - begin)


def zarr_appends(arrays: Sequence[zarr.Array], start: int) -> float:
    """Zarr's own append, 50 rows a time, two arrays, nothing durable; an eighth of the rows."""
    begin = time.perf_counter()
    for first in range(start, start + CHUNK_ROWS // 8, WAITING):
        for array in arrays:
            array.append(np.arange(first, first + WAITING).astype(array.dtype))
    return CHUNK_ROWS / 8 / (time.perf_counter() - begin)


def fill(hel: Hel, rows: Columns) -> None:
    """Files and database as after so many checkpoints."""
    archive = Archive(hel.folder, HastyDisk())
    quota, nothing = journal.Quota(10, CHUNK_ROWS), journal.Batch([])

    def known(database: sqlite3.Connection) -> journal.Series:
        journal.append(database, "bench", "t", nothing, quota)
        found = journal.find(database, "bench", "t")
        assert found is not None
        return found

    series = hel.database.submit(known).result()
    place = Place("bench", "t", series.mark, CHUNK_ROWS, 0, 0)
    archive.recover(place)
    sizes = archive.write(place, rows)
    archive.publish(Place("bench", "t", series.mark, CHUNK_ROWS, 0, CHUNKS))
    edges = rows.times.reshape(CHUNKS, CHUNK_ROWS)[:, [0, -1]].tolist()

    def note(database: sqlite3.Connection) -> None:
        database.executemany(
            "INSERT INTO series_chunk VALUES (?, ?, ?, ?, ?)",
            ((series.id, n, *edge, sizes[n]) for n, edge in enumerate(edges)),
        )
        database.execute("UPDATE series SET chunks = ? WHERE id = ?", (CHUNKS, series.id))

    hel.database.submit(note).result()


def fill_zarr(folder: Path, rows: Columns) -> zarr.Group:
    group = zarr.open_group(folder / "bare-day.zarr", mode="w")
    for name, column in (("time", rows.times), ("value", rows.values)):
        array = group.create_array(
            name, shape=column.shape, chunks=(CHUNK_ROWS,), dtype=column.dtype
        )
        array[:] = column
    return group


def fill_sqlite(folder: Path, rows: Columns) -> sqlite3.Connection:
    database = sqlite3.connect(folder / "bare-day.sqlite")
    database.execute("CREATE TABLE row (time_ns INTEGER PRIMARY KEY, value REAL)")
    pairs = zip(rows.times.tolist(), rows.values.tolist(), strict=True)
    database.executemany("INSERT INTO row VALUES (?, ?)", pairs)
    database.commit()
    return database


def zarr_day(group: zarr.Group) -> int:
    """Who knows only zarr reads all times to find the day."""
    columns = {name: zarr.open_array(group.store, path=name) for name in ("time", "value")}
    times = np.asarray(columns["time"][:])
    first, last = np.searchsorted(times, [DAY.start_ns, DAY.end_ns])
    values = np.asarray(columns["value"][first:last])
    minutes = (times[first:last] - DAY.start_ns) // (60 * S_NS)
    return len(np.bincount(minutes, values) / np.bincount(minutes))


def sqlite_day(database: sqlite3.Connection) -> int:
    query = (
        "SELECT (time_ns - ?) / 60000000000 AS minute, avg(value) FROM row "
        "WHERE time_ns >= ? AND time_ns < ? GROUP BY minute"
    )
    return len(database.execute(query, (DAY.start_ns, DAY.start_ns, DAY.end_ns)).fetchall())


def aggregated(hel: Hel, within: Span, statistic: str, every_ns: int | None = MINUTE_NS) -> int:
    """How many windows there are."""
    steps = Queries(hel.store).aggregate("bench", "t", within, statistic, every_ns)
    return len(answer(steps))


def exported(hel: Hel) -> int:
    """How many rows there are, a block at a time."""
    cursor: Cursor | None = Cursor(ALL.start_ns)
    rows = 0
    while cursor is not None:
        block = answer(Queries(hel.store).block("bench", "t", cursor, ALL.end_ns, BLOCK_ROWS))
        cursor, rows = block.following, rows + len(block.rows)
    return rows


def answer(steps: Steps[T]) -> T:
    """What a query gives in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def milliseconds(action: Callable[[], int]) -> float:
    assert action() == 1440
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        action()
        times.append((time.perf_counter() - begin) * 1000)
    return median(times)


def append_ms(hel: Hel) -> float:
    """The 99th percentile of a durable append of one row, one after the other."""
    times = []
    for number in range(SINGLES):
        begin = time.perf_counter()
        hel.append(batch(number)).result()
        times.append((time.perf_counter() - begin) * 1000)
    return percentile(times, 99)


def beside_queries(hel: Hel) -> tuple[float, float]:
    """`append_ms` at rest, and while queries of all rows follow one another."""
    at_rest, stop = append_ms(hel), Event()

    def ask() -> None:
        while not stop.is_set():
            aggregated(hel, ALL, "p95", ALL_NS)

    queries = hel.in_series_thread(ask)
    busy = append_ms(hel)
    stop.set()
    queries.result()
    return at_rest, busy


def beside_large(hel: Hel) -> tuple[float, float]:
    """Milliseconds of a small query at rest, and while large ones follow one another: medians."""
    turns, queries, stop = Turns(hel.series_thread), Queries(hel.store), Event()

    def small_ms() -> float:
        begin = time.perf_counter()
        turns.ask(queries.read("bench", "t", Reading(DAY, 100)), lambda: None).result()
        return (time.perf_counter() - begin) * 1000

    def large() -> None:
        while not stop.is_set():
            steps = queries.aggregate("bench", "t", ALL, "mean", ALL_NS)
            turns.ask(steps, lambda: None).result()

    at_rest = median(small_ms() for _ in range(SMALL_QUERIES))
    with ThreadPoolExecutor(1) as other:
        asking = other.submit(large)
        busy = median(small_ms() for _ in range(SMALL_QUERIES))
        stop.set()
        asking.result()
    return at_rest, busy


def growth_mib(action: Callable[[], object]) -> float:
    """Peak of the memory over what there was. Source: proc(5), clear_refs, VmHWM."""
    ctypes.CDLL(None).malloc_trim(0)  # What was freed before must not serve it.
    Path("/proc/self/clear_refs").write_text("5")
    before = status_kib("VmRSS")
    action()
    return (status_kib("VmHWM") - before) / 1024


def status_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def size_bytes(path: Path) -> int:
    """What it takes on the disk, blocks and all."""
    return sum(each.stat().st_blocks * 512 for each in (path, *path.rglob("*")) if each.is_file())


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="loki-bench-") as name:
        folder = Path(name)
        return [*appends(folder), *queries(folder)]


def appends(folder: Path) -> list[Figure]:
    """Sides take turns; the first turn, in which zarr is imported, does not count."""
    hel, group = Hel(folder), zarr.open_group(folder / "bare.zarr", mode="w")
    arrays = [
        group.create_array(name, shape=(0,), chunks=(CHUNK_ROWS,), dtype=dtype)
        for name, dtype in (("time", "i8"), ("value", "f8"))
    ]
    turns = []
    with closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE row (n INTEGER PRIMARY KEY, time_ns INT, value REAL, q INT)")
        for start in range(0, CHUNK_ROWS * (TURNS + 1), CHUNK_ROWS):
            ours, sqlite = our_appends(hel, start), sqlite_appends(database, start)
            turns.append((ours, sqlite, zarr_appends(arrays, start)))
    hel.close()
    ours, sqlite, bare = (median(side) for side in zip(*turns[1:], strict=True))
    note = f"{WAITING} callers: {ours:,.0f} rows/s while files are written, against {sqlite:,.0f}"
    return [
        Figure("appends / bare SQLite, both durable", ours / sqlite, "x", note=note),
        Figure("appends / bare zarr, not durable", ours / bare, "x", note=f"{bare:,.0f} rows/s"),
    ]


def queries(folder: Path) -> list[Figure]:
    hel, rows = Hel(folder), samples()
    fill(hel, rows)
    group, database = fill_zarr(folder, rows), fill_sqlite(folder, rows)
    ours = milliseconds(lambda: aggregated(hel, DAY, "mean"))
    bare, sqlite = milliseconds(lambda: zarr_day(group)), milliseconds(lambda: sqlite_day(database))
    grown = growth_mib(lambda: aggregated(hel, ALL, "mean", ALL_NS))
    ranked = growth_mib(lambda: aggregated(hel, RANKED, "p95", None))
    given = growth_mib(lambda: exported(hel))
    at_rest, busy = beside_queries(hel)
    alone, beside_one = beside_large(hel)
    each = size_bytes(hel.folder) / ROWS
    beside = size_bytes(folder / "bare-day.sqlite") / ROWS
    database.close()
    hel.close()
    in_one = f"{(RANKED.end_ns - RANKED.start_ns) // S_NS:,} rows in one window"
    day = f"one day of {ROWS // 86400}, 1440 means, {ours:.1f} ms"
    return [
        Figure("a day's query / bare zarr", ours / bare, "x", note=f"{day} against {bare:.1f}"),
        Figure("a day's query / bare SQLite", ours / sqlite, "x", note=f"against {sqlite:.1f} ms"),
        Figure(
            "small writes beside large queries",
            busy / at_rest,
            "x",
            note=(f"p99 of a durable append: {busy:.1f} ms against {at_rest:.1f} at rest"),
        ),
        Figure(
            "a small query beside a large one",
            beside_one / alone,
            "x",
            note=f"median {beside_one:.1f} ms against {alone:.1f} at rest",
        ),
        Figure("memory of a query of all rows", grown, "MiB", note=f"{ROWS:,} rows"),
        Figure("memory of a percentile of many rows", ranked, "MiB", note=in_one),
        Figure("memory of giving out all rows", given, "MiB", note=f"{BLOCK_ROWS:,} at a time"),
        Figure("bytes a row on the disk", each, "B", note=f"SQLite {beside:.1f}"),
    ]


def run() -> list[Figure]:
    command = (sys.executable, "-m", "benchmarks.series")
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ)
    return msgspec.json.decode(done.stdout, type=list[Figure])


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure()))
