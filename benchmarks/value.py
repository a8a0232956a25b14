"""Stored values beside bare SQLite with the same settings: durable writes, and reads.

On our side is what Hel does for a call, without messages: a thread of its own, and one commit for
all who wait. Sides take turns, and the first turn does not count.
"""

import logging
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from hel_actor.database.database import Database
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS
from hel_actor.value import keyvalue

from benchmarks.result import Figure
from loki.clock import SystemClock
from loki.messages.value import pack

NAMESPACE = "bench"
KEYS = 500
WRITERS = 50
WRITES = 200  # Of one writer; of fifty together, ten times as many.
READS = 2000
TURNS = 5


FRESH = count()


def key(number: int) -> str:
    return f"sensor/{number % KEYS}"


def write(connection: sqlite3.Connection, number: int) -> None:
    """Another value each time: SQLite writes nothing where the value is the same as before."""
    value = pack({"sensor": "t1", "reading": next(FRESH), "note": "x" * 100})
    keyvalue.put(connection, NAMESPACE, key(number), bytes(value))


def read(connection: sqlite3.Connection, number: int) -> bytes | None:
    return keyvalue.get(connection, NAMESPACE, key(number))


def per_second(times: int, action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return times / (time.perf_counter() - begin)


def submitted(database: Database, number: int) -> "Future[None]":
    return database.submit(lambda connection: write(connection, number))


def our_writes(database: Database, together: int, times: int) -> None:
    """`together` callers, each of whom waits for its answer before it asks again."""
    for first in range(0, times, together):
        for promise in [submitted(database, first + n) for n in range(together)]:
            promise.result()


def bare_writes(connection: sqlite3.Connection, together: int, times: int) -> None:
    """As many rows in each transaction."""
    for first in range(0, times, together):
        connection.execute("BEGIN")
        for n in range(together):
            write(connection, first + n)
        connection.execute("COMMIT")


def our_reads(database: Database, together: int) -> None:
    for first in range(0, READS, together):
        waiting = [
            database.submit(partial(read, number=number))
            for number in range(first, first + together)
        ]
        assert all(promise.result() for promise in waiting)


def bare_reads(connection: sqlite3.Connection) -> None:
    assert all(read(connection, number) for number in range(READS))


@contextmanager
def sides(folder: Path) -> Iterator[tuple[Database, sqlite3.Connection]]:
    thread = ThreadPoolExecutor(1)
    log, path = logging.getLogger("bench"), folder / "ours.sqlite"
    database = Database(path, MIGRATIONS, thread, SystemClock(), log)
    with closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        migrate(bare, MIGRATIONS)
        yield database, bare
    database.close().result()
    thread.shutdown()


def turn(database: Database, bare: sqlite3.Connection) -> tuple[float, ...]:
    many = 10 * WRITES
    return (
        per_second(WRITES, lambda: our_writes(database, 1, WRITES)),
        per_second(WRITES, lambda: bare_writes(bare, 1, WRITES)),
        per_second(many, lambda: our_writes(database, WRITERS, many)),
        per_second(many, lambda: bare_writes(bare, WRITERS, many)),
        per_second(READS, lambda: our_reads(database, WRITERS)),
        per_second(READS, lambda: bare_reads(bare)),
    )


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="loki-bench-") as name, sides(Path(name)) as both:
        turns = [turn(*both) for _ in range(TURNS + 1)]
    one, bare_one, fifty, bare_fifty, reads, bare_reads_each = (
        median(side) for side in zip(*turns[1:], strict=True)
    )
    return [
        figure("durable writes of 1 writer / bare SQLite", one, bare_one),
        figure(f"durable writes of {WRITERS} writers / bare SQLite", fifty, bare_fifty),
        figure(f"reads of {WRITERS} readers / bare SQLite", reads, bare_reads_each),
    ]


def figure(name: str, ours: float, bare: float) -> Figure:
    return Figure(name, ours / bare, "x", note=f"{ours:,.0f}/s against {bare:,.0f}")
