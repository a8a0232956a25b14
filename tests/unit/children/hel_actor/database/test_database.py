"""The SQLite file: shared commits, kills, damage and failing disks."""

import logging
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from hel_actor.database.database import Database
from hel_actor.schema import MIGRATIONS
from hel_actor.value import keyvalue

from loki.clock import FakeClock
from loki.errors import ErrorCode, IoError

LOG = logging.getLogger("test.database")
Open = Callable[..., Database]


def put(key: str, value: bytes) -> Callable[[sqlite3.Connection], None]:
    return lambda connection: keyvalue.put(connection, "tool", key, value)


def get(key: str) -> Callable[[sqlite3.Connection], bytes | None]:
    return lambda connection: keyvalue.get(connection, "tool", key)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "hel.sqlite"


@pytest.fixture
def open_database(path: Path, worker: ThreadPoolExecutor) -> Iterator[Open]:
    opened: list[Database] = []

    def open_one(**options: Callable[[Path], sqlite3.Connection]) -> Database:
        clock = FakeClock(now_ns=1_700_000_000_123_456_000)
        opened.append(Database(path, MIGRATIONS, worker, clock, LOG, **options))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close().result(20)


def held(worker: ThreadPoolExecutor) -> Event:
    """Keep the worker busy until the event is set, so that what is submitted waits."""
    go, busy = Event(), Event()
    worker.submit(lambda: (busy.set(), go.wait(20)))
    assert busy.wait(20)
    return go


def test_s_8_3_2_values_are_there_after_reopening(open_database: Open) -> None:
    first = open_database()
    first.submit(put("k", b"\xcb\x00")).result(20)
    first.close().result(20)
    assert open_database().submit(get("k")).result(20) == b"\xcb\x00"


def test_the_log_tells_how_long_it_took_to_open(
    path: Path, worker: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()

    def slow(path: Path) -> sqlite3.Connection:
        clock.advance(0.25)
        return sqlite3.connect(path)

    with caplog.at_level(logging.INFO):
        database = Database(path, MIGRATIONS, worker, clock, LOG, slow)
        database.submit(put("k", b"v")).result(20)
        database.close().result(20)
        database.submit(get("k")).result(20)
        database.close().result(20)
    took = [record.getMessage() for record in caplog.records]
    assert took == [
        "hel.sqlite was checked and opened in 0.250 s",
        "hel.sqlite was checked and opened in 0.500 s",  # The check has a connection of its own.
    ]


def test_s_8_3_2_commits_are_synced_before_they_are_acknowledged(open_database: Open) -> None:
    database = open_database()
    modes = database.submit(
        lambda connection: tuple(
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        )
    ).result(20)
    assert modes == ("wal", 2)  # 2 is FULL.


def test_s_8_3_2_waiting_changes_share_one_commit(
    open_database: Open, worker: ThreadPoolExecutor
) -> None:
    database = open_database()
    statements: list[str] = []
    database.submit(lambda connection: connection.set_trace_callback(statements.append)).result(20)
    statements.clear()

    go = held(worker)
    promises = [database.submit(put(f"k{n}", b"v")) for n in range(50)]
    assert not any(promise.done() for promise in promises)
    go.set()
    wait(promises, 20)

    assert statements.count("COMMIT") == 1
    assert len({each for each in statements if each.startswith("INSERT INTO keyvalue")}) == 50
    assert database.submit(lambda c: keyvalue.keys(c, "tool")).result(20) == tuple(
        sorted(f"k{n}" for n in range(50))
    )


def test_s_8_3_2_nothing_is_acknowledged_before_the_commit(
    open_database: Open, path: Path, worker: ThreadPoolExecutor
) -> None:
    database = open_database()
    database.submit(put("k", b"old")).result(20)
    seen: list[bytes | None] = []

    def look(_: object) -> None:
        with closing(sqlite3.connect(path)) as other:
            seen.append(keyvalue.get(other, "tool", "k"))

    go = held(worker)
    promise = database.submit(put("k", b"new"))
    promise.add_done_callback(look)
    go.set()
    promise.result(20)
    worker.submit(lambda: None).result(20)
    assert seen == [b"new"]


def test_operations_are_done_in_order_and_see_each_other(
    open_database: Open, worker: ThreadPoolExecutor
) -> None:
    database = open_database()
    go = held(worker)
    promises = [
        database.submit(work) for work in (get("k"), put("k", b"1"), get("k"), put("k", b"2"))
    ]
    go.set()
    assert [promise.result(20) for promise in promises] == [None, None, b"1", None]
    assert database.submit(get("k")).result(20) == b"2"


def test_cancelled_operations_are_not_done(open_database: Open, worker: ThreadPoolExecutor) -> None:
    database = open_database()
    go = held(worker)
    cancelled, other = database.submit(put("a", b"")), database.submit(put("b", b""))
    assert cancelled.cancel()
    go.set()
    other.result(20)
    assert database.submit(lambda c: keyvalue.keys(c, "tool")).result(20) == ("b",)


def test_s_8_3_2_a_failed_operation_is_undone_alone_and_all_others_share_a_commit(
    open_database: Open, worker: ThreadPoolExecutor
) -> None:
    database = open_database()
    statements: list[str] = []
    database.submit(lambda connection: connection.set_trace_callback(statements.append)).result(20)

    def half_done(connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT left_open")
        keyvalue.put(connection, "tool", "bad", b"v")
        raise ZeroDivisionError

    go = held(worker)
    good = [database.submit(put("a", b"1"))]
    wrong = database.submit(lambda c: c.execute("INSERT INTO no_such_table VALUES (1)"))
    good.append(database.submit(put("b", b"2")))
    bug = database.submit(half_done)
    good.append(database.submit(lambda c: keyvalue.keys(c, "tool")))
    statements.clear()
    go.set()
    assert [each.result(20) for each in good] == [None, None, ("a", "b")]
    with pytest.raises(IoError, match="changed nothing") as failed:
        wrong.result(20)
    assert failed.value.code is ErrorCode.IO
    with pytest.raises(ZeroDivisionError):
        bug.result(20)
    assert statements.count("COMMIT") == 1
    assert database.submit(lambda c: keyvalue.keys(c, "tool")).result(20) == ("a", "b")


def test_a_bug_in_an_operation_reaches_the_caller_as_it_is(open_database: Open) -> None:
    database = open_database()
    with pytest.raises(ZeroDivisionError):
        database.submit(lambda _: 1 // 0).result(20)
    assert database.submit(lambda _: "alive").result(20) == "alive"


def filled(open_database: Open) -> None:
    database = open_database()
    for number in range(200):
        database.submit(put(f"k{number}", b"v" * 500))
    database.close().result(20)


def zeros_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(8192))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is no database" * 500),
        lambda path: path.write_bytes(path.read_bytes()[:6000]),
        zeros_in_the_middle,
    ],
    ids=["garbage", "cut", "zeros"],
)
def test_s_8_3_2_a_damaged_file_is_kept_aside_and_the_rest_starts(
    open_database: Open,
    path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], object],
) -> None:
    filled(open_database)
    damage(path)
    damaged = path.read_bytes()
    Path(f"{path}-wal").write_bytes(b"log of the damaged file")

    database = open_database()

    assert database.submit(get("k1")).result(20) is None
    database.submit(put("k1", b"new")).result(20)
    assert database.submit(get("k1")).result(20) == b"new"
    aside = path.with_name("hel.sqlite.damaged-20231114T221320.123456Z")
    assert aside.read_bytes() == damaged
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert aside.name in caplog.text


def test_s_8_3_2_a_file_that_cannot_be_opened_is_not_taken_for_damaged(
    open_database: Open, path: Path
) -> None:
    path.mkdir(parents=True)
    database = open_database()
    with pytest.raises(IoError, match=r"hel\.sqlite is a folder, not a plain file"):
        database.submit(get("k")).result(20)
    path.rmdir()
    database.submit(put("k", b"v")).result(20)
    assert database.submit(get("k")).result(20) == b"v"


def test_a_state_directory_that_cannot_be_made_is_a_named_error(
    open_database: Open, path: Path
) -> None:
    path.parent.write_bytes(b"in the way")
    with pytest.raises(IoError) as failed:
        open_database().submit(get("k")).result(20)
    assert str(path.parent) not in failed.value.message


WRITER = """
import logging, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from hel_actor.value import keyvalue
from hel_actor.database.database import Database
from hel_actor.schema import MIGRATIONS
from loki.clock import SystemClock

database = Database(
    Path(sys.argv[1]), MIGRATIONS, ThreadPoolExecutor(1), SystemClock(), logging.getLogger()
)
start = int(sys.argv[2])

def write(number):
    def put(connection):
        keyvalue.put(connection, "tool", str(number), str(number).encode() * 50)
    database.submit(put).add_done_callback(lambda _: print(number, flush=True))

for number in range(start, start + 100_000):
    write(number)
    if number % 7 == 0:
        database.submit(lambda _: None).result()
"""


def test_s_8_3_2_no_acknowledged_value_is_lost_by_sigkill(open_database: Open, path: Path) -> None:
    acknowledged: set[int] = set()
    for round_ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(round_ * 1_000_000)],
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            acknowledged.update(int(writer.stdout.readline()) for _ in range(30 + 41 * round_))
            writer.send_signal(signal.SIGKILL)
            acknowledged.update(map(int, writer.stdout.read().split()))

    def kept(connection: sqlite3.Connection) -> dict[int, bytes]:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT key, value FROM keyvalue")
        return {int(key): value for key, value in rows}

    values = open_database().submit(kept).result(20)
    assert acknowledged <= values.keys()
    assert all(value == str(number).encode() * 50 for number, value in values.items())
    assert [each for each in path.parent.iterdir() if "damaged" in each.name] == []
