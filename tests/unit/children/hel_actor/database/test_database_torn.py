"""What a power cut makes of the log's end: cut or garbled there, it opens without what was last."""

import logging
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hel_actor.database.database import Database
from hel_actor.schema import MIGRATIONS
from hel_actor.series import journal
from hel_actor.series.journal import Batch, Quota
from hel_actor.value import keyvalue

from loki.clock import FakeClock

LOG = logging.getLogger("test.database")
CHANGES = 40
SEED = random.SystemRandom().randrange(2**31)


@contextmanager
def opened(path: Path, worker: ThreadPoolExecutor) -> Iterator[Database]:
    database = Database(path, MIGRATIONS, worker, FakeClock(), LOG)
    try:
        yield database
    finally:
        database.close().result(20)


def change(database: Database, n: int) -> None:
    """A value, and a row of a time series."""
    database.submit(lambda c: keyvalue.put(c, "tool", "n", str(n).encode() * 300)).result(20)
    batch = Batch([(n, float(n), 0)], sequence=n)
    database.submit(lambda c: journal.append(c, "tool", "s", batch, Quota(9, 512))).result(20)


def found(database: Database) -> tuple[int, int]:
    """The number of the value, and how many rows there are; fails if one is not whole."""
    value = database.submit(lambda c: keyvalue.get(c, "tool", "n")).result(20)
    rows = database.submit(
        lambda c: c.execute("SELECT time_ns, value FROM series_row ORDER BY row").fetchall()
    ).result(20)
    assert rows == [(n, float(n)) for n in range(1, len(rows) + 1)]
    number = 0 if value is None else int(value[: len(value) // 300])
    assert value is None or value == str(number).encode() * 300
    return number, len(rows)


def cut(log: Path, start: int, end: int, chance: random.Random) -> None:
    """Nothing of it reached the disk, or a part."""
    with log.open("r+b") as file:
        file.truncate(chance.randrange(start, end))


def garble(log: Path, start: int, end: int, chance: random.Random) -> None:
    """Some sectors did, and some did not."""
    with log.open("r+b") as file:
        for _ in range(chance.randrange(1, 4)):
            file.seek(chance.randrange(start, end))
            file.write(chance.randbytes(chance.randrange(1, min(512, end - file.tell()) + 1)))


def blank(log: Path, start: int, end: int, chance: random.Random) -> None:
    """It got its length, and no content."""
    at = chance.randrange(start, end)
    with log.open("r+b") as file:
        file.seek(at)
        file.write(bytes(end - at))


@pytest.mark.parametrize("damage", [cut, garble, blank])
def test_s_8_3_2_what_was_synced_survives_any_end_of_the_log(
    tmp_path: Path, worker: ThreadPoolExecutor, damage: object
) -> None:
    print(f"seed {SEED}")
    assert callable(damage)
    chance, state = random.Random(SEED), tmp_path / "state"
    log = state / "hel.sqlite-wal"
    ends = [0]
    with opened(state / "hel.sqlite", worker) as database:
        for n in range(1, CHANGES + 1):
            change(database, n)
            ends.append(log.stat().st_size)
        shutil.copytree(state, tmp_path / "killed")
    for n in (*range(2, 12), *(chance.randrange(2, CHANGES) for _ in range(10))):
        torn = tmp_path / f"torn-{n}"
        shutil.rmtree(torn, ignore_errors=True)
        shutil.copytree(tmp_path / "killed", torn)
        (torn / "hel.sqlite-shm").unlink()  # Nobody's memory survives a power cut.
        damage(torn / "hel.sqlite-wal", ends[n - 1], ends[-1], chance)
        with opened(torn / "hel.sqlite", worker) as database:
            number, rows = found(database)
            assert n - 1 <= rows <= number <= CHANGES
            change(database, rows + 1)
            assert found(database) == (rows + 1, rows + 1)
        assert sorted(path.name for path in torn.iterdir()) == ["hel.sqlite"]
