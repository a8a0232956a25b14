"""Reading the log while it grows, and while full files are put aside."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loki.actors.log.log_file import LogFile
from loki.actors.log.log_tail import LogTail
from loki.core.log_record import LogFilter, LogRecord, to_line
from loki.messages.log import LogConfig

AT = datetime(2026, 1, 2, tzinfo=UTC)


class Log:
    """A file, and one reader of it."""

    def __init__(self, folder: Path, wanted: LogFilter | None = None) -> None:
        self.file = LogFile(LogConfig(folder=str(folder / "log"), max_bytes=1, files=3))
        self.tail = LogTail(self.file, wanted or LogFilter())
        self.written = 0

    def write(self, count: int = 1, level: str = "ERROR") -> None:
        """Lines with the messages "1", "2" and so on."""
        self.file.path.parent.mkdir(exist_ok=True)
        with self.file.path.open("ab") as out:
            for _ in range(count):
                self.written += 1
                out.write(line(str(self.written), level))

    def last(self, count: int = 100) -> list[str]:
        return [record.message for record in self.tail.last(count)]

    def fresh(self) -> list[str]:
        """All there is now."""
        found: list[str] = []
        more = True
        while more:
            records, more = self.tail.fresh()
            found += [record.message for record in records]
        return found


def line(message: str, level: str = "ERROR") -> bytes:
    return to_line(LogRecord(time=AT, level=level, actor="hel", pid=1, message=message))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    made.tail.close()


def test_without_a_file_there_is_nothing_and_then_all_that_comes(log: Log) -> None:
    assert log.last() == []
    assert log.fresh() == []
    log.write(2)
    assert log.fresh() == ["1", "2"]
    assert log.fresh() == []


def test_the_newest_come_oldest_first(log: Log) -> None:
    log.write(5)
    assert log.last(3) == ["3", "4", "5"]
    assert log.fresh() == []


@pytest.mark.parametrize("count", [0, 1, 3, 7, 100])
def test_the_newest_of_all_files(log: Log, count: int) -> None:
    for _ in range(3):
        log.write(2)
        log.file.rotate_if_full()
    log.write(1)
    assert log.last(count) == ["3", "4", "5", "6", "7"][-count:][: count or 0]


def test_only_what_is_wanted_is_counted(tmp_path: Path) -> None:
    log = Log(tmp_path, LogFilter(level="ERROR"))
    log.write(2)
    log.write(50, level="DEBUG")
    assert log.last(2) == ["1", "2"]
    log.write(1, level="INFO")
    log.write(1)
    assert log.fresh() == ["54"]
    log.tail.close()


def test_a_file_that_was_put_aside_is_read_to_its_end_and_then_the_next(log: Log) -> None:
    log.write(1)
    assert log.last() == ["1"]
    log.write(1)
    log.file.rotate_if_full()
    log.write(1)
    with log.file.older(1).open("ab") as late:
        late.write(line("late"))
    assert log.fresh() == ["2", "late", "3"]
    log.file.rotate_if_full()
    assert log.fresh() == []
    log.write(1)
    assert log.fresh() == ["4"]


def test_half_a_line_waits_for_its_other_half(log: Log) -> None:
    log.write(1)
    whole = line("whole")
    with log.file.path.open("ab", buffering=0) as out:
        out.write(whole[:20])
        assert log.last() == ["1"]
        assert log.fresh() == []
        out.write(whole[20:40])
        assert log.fresh() == []
        out.write(whole[40:] + line("next")[:10])
        assert log.fresh() == ["whole"]


def test_what_is_no_record_is_passed_over(log: Log) -> None:
    log.write(1)
    with log.file.path.open("ab") as out:
        out.write(b"a disk was full he\n\xff\n\n")
    log.write(1)
    assert log.last() == ["1", "2"]


@pytest.mark.parametrize("name", ["loki.jsonl", "loki.jsonl.1"])
def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    log = Log(tmp_path)
    log.write(2)
    (tmp_path / "log" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "log" / name)
    assert log.last() == ([] if name == "loki.jsonl" else ["1", "2"])
    assert log.fresh() == []
    log.tail.close()
