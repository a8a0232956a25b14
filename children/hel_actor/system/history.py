"""The history of executions: its tables and what is done to them.

Every function runs inside a transaction that others wait for, and so takes small steps only. The
oldest go first, in the order of their numbers: clocks jump.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Any

from msgspec.structs import astuple

from loki.messages.archive import SESSION_BITS, Kept, ListKept
from loki.messages.execution import Cause
from loki.messages.history import ExecutionState

STEP = 1000  # Rows that go in one transaction.
LOOK = 250  # Rows that are looked at in one.
CLOCK_SET_NS = 1_577_836_800 * 10**9  # 2020: an earlier time is that of a clock which is not set.
PAGE_BYTES = 4 * 1024 * 1024

_FIELDS = len(Kept.__struct_fields__) - 1  # All but the result, which has a table of its own.
_INSERT = f"INSERT OR IGNORE INTO execution VALUES ({', '.join('?' * _FIELDS)})"  # noqa: S608  # Question marks.
_UPDATE = """
    UPDATE execution SET revision = ?, started_ns = ?, ended_ns = ?, attempts = ?, runner_pid = ?,
        cause = ?, complete = ?, told = ?
    WHERE number = ?
"""
_SELECT = """
    SELECT number, id, script, principal, revision, submitted_ns, started_ns, ended_ns, attempts,
        runner_pid, cause, complete, execution.told, execution_result.told
    FROM execution LEFT JOIN execution_result USING (number)
"""


@dataclass(frozen=True, slots=True)
class Stock:
    """How much is kept."""

    rows: int
    result_bytes: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept at most."""

    rows: int
    age_ns: int
    result_bytes: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Which of the rows that were looked at match, the newest first, and where to look on."""

    numbers: tuple[int, ...]
    below: int  # 0 where there is nothing more.


def stock(connection: sqlite3.Connection) -> Stock:
    """Takes a while: it counts."""
    (rows,) = connection.execute("SELECT count(*) FROM execution").fetchone()
    (size,) = connection.execute("SELECT sum(size_bytes) FROM execution_result").fetchone()
    return Stock(rows, size or 0)


def keep(connection: sqlite3.Connection, executions: Sequence[Kept], before: Stock) -> Stock:
    """Add them, or bring them up to date; what there is afterwards."""
    rows = [astuple(each)[:_FIELDS] for each in executions]
    added = connection.executemany(_INSERT, rows).rowcount
    if added < len(rows):
        connection.executemany(_UPDATE, [(row[4], *row[6:], row[0]) for row in rows])
    size_bytes = sum(
        _keep_result(connection, each.number, each.result) for each in executions if each.result
    )
    return Stock(before.rows + added, before.result_bytes + size_bytes)


def _keep_result(connection: sqlite3.Connection, number: int, result: bytes) -> int:
    """How many bytes more there are."""
    added = connection.execute(
        "INSERT OR IGNORE INTO execution_result VALUES (?, ?, ?)", (number, len(result), result)
    ).rowcount
    return len(result) if added else 0


def newest_session(connection: sqlite3.Connection) -> int:
    """Of all that have left a row; 0 where none has."""
    (number,) = connection.execute("SELECT max(number) FROM execution").fetchone()
    return (number or 0) >> SESSION_BITS


def interrupt(connection: sqlite3.Connection, session: int, now_ns: int) -> None:
    """End what an earlier session than that left without an end: nobody will tell it any more."""
    connection.execute(
        "UPDATE execution SET cause = ?, ended_ns = ? WHERE cause = '' AND number < ?",
        (Cause.INTERRUPTED.value, now_ns, session << SESSION_BITS),
    )


def trim(connection: sqlite3.Connection, before: Stock, bounds: Bounds, now_ns: int) -> Stock:
    """Let one step of what is too much or too old go; what there is afterwards."""
    rows, size = before.rows, before.result_bytes
    last = _last_to_go(connection, rows - bounds.rows, now_ns - bounds.age_ns, now_ns)
    if last:
        size -= _drop_results(connection, last)
        rows -= connection.execute(
            "DELETE FROM execution WHERE number <= ? AND cause <> ''", (last,)
        ).rowcount
    last = _last_result_to_go(connection, size - bounds.result_bytes)
    if last:
        size -= _drop_results(connection, last)
    return Stock(rows, size)


def _last_to_go(connection: sqlite3.Connection, excess: int, oldest_ns: int, now_ns: int) -> int:
    """The number of the newest that goes now; 0 for none. What runs stays.

    What ended before the device had a clock, or by one that was ahead, is as old as what came next.
    """
    last = _ended(connection, min(STEP, excess))
    if now_ns < CLOCK_SET_NS:
        return last
    dated = connection.execute(
        "SELECT number, ended_ns FROM execution WHERE cause <> '' AND ended_ns BETWEEN ? AND ? "
        "ORDER BY number LIMIT ?",
        (CLOCK_SET_NS, now_ns, STEP),
    )
    old = [number for number, _ in takewhile(lambda row: row[1] < oldest_ns, dated)]
    return max(last, min(old[-1], _ended(connection, STEP))) if old else last


def _ended(connection: sqlite3.Connection, count: int) -> int:
    """The number of the last of the first `count` that ended; 0 for none."""
    if count <= 0:
        return 0
    (number,) = connection.execute(
        "SELECT max(number) FROM "
        "(SELECT number FROM execution WHERE cause <> '' ORDER BY number LIMIT ?)",
        (count,),
    ).fetchone()
    return number or 0


def _last_result_to_go(connection: sqlite3.Connection, excess_bytes: int) -> int:
    if excess_bytes <= 0:
        return 0
    results = connection.execute(
        "SELECT number, size_bytes FROM execution_result ORDER BY number LIMIT ?", (STEP,)
    )
    return max(_until_enough(results, excess_bytes), default=0)


def _until_enough(results: Iterable[tuple[int, int]], excess_bytes: int) -> Iterator[int]:
    for number, size_bytes in results:
        if excess_bytes <= 0:
            return
        yield number
        excess_bytes -= size_bytes


def _drop_results(connection: sqlite3.Connection, last: int) -> int:
    """How many bytes less there are."""
    (size,) = connection.execute(
        "SELECT sum(size_bytes) FROM execution_result WHERE number <= ?", (last,)
    ).fetchone()
    connection.execute("DELETE FROM execution_result WHERE number <= ?", (last,))
    return size or 0


def begins_ns(connection: sqlite3.Connection) -> int:
    """When the oldest was submitted; 0 where there is none."""
    oldest = connection.execute(
        "SELECT submitted_ns FROM execution ORDER BY number LIMIT 1"
    ).fetchone()
    return oldest[0] if oldest else 0


def find(connection: sqlite3.Connection, run: str) -> Kept | None:
    """With its whole end."""
    row = connection.execute(f"{_SELECT} WHERE id = ?", (run,)).fetchone()
    return None if row is None else _kept(row)


def look(connection: sqlite3.Connection, asked: ListKept, below: int, most: int) -> Seen:
    """Up to `most` that match, of the next rows below a number."""
    rows = connection.execute(
        "SELECT number, script, cause FROM execution "
        "WHERE number < ? AND cause <> '' ORDER BY number DESC LIMIT ?",
        (below, LOOK),
    ).fetchall()
    matching = [number for number, script, cause in rows if _matches(asked, script, cause)][:most]
    if len(matching) == most:
        return Seen(tuple(matching), matching[-1])
    return Seen(tuple(matching), rows[-1][0] if len(rows) == LOOK else 0)


def _matches(asked: ListKept, script: str, cause: str) -> bool:
    state = ExecutionState.FINISHED if cause == Cause.FINISHED.value else ExecutionState.FAILED
    return (
        asked.state in (None, state)
        and fnmatchcase(script, asked.script)
        and any(fnmatchcase(script, glob) for glob in asked.among)
    )


def read(connection: sqlite3.Connection, numbers: Sequence[int]) -> tuple[Kept, ...]:
    """Those of these numbers, the newest first, without results; as many as fit into a message."""
    chosen = f"{_SELECT} WHERE number IN ({', '.join('?' * len(numbers))}) ORDER BY number DESC"
    left, found = PAGE_BYTES, []
    for row in connection.execute(chosen, numbers):
        found.append(_kept(row, listed=True))
        left -= len(found[-1].end)
        if left < 0:
            break
    return tuple(found)


def _kept(row: Sequence[Any], *, listed: bool = False) -> Kept:
    """A list says that there is a whole end, and leaves it out."""
    *fields, complete, end, result = row
    return Kept(
        **dict(zip(Kept.__struct_fields__, fields, strict=False)),
        complete=bool(complete) or result is not None,
        end=end,
        result=b"" if listed or result is None else result,
    )
