"""The log on disk: many processes write to one file, and one of them puts it aside."""

import json
import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.actors.log.log_file import LineFormatter, LogFile, LogHandler, record_of
from loki.core.log_record import LogRecord, from_line
from loki.messages.log import LogConfig

LINE = b'{"n": 1}\n'
MANY_BYTES = 20_000


def log_file(folder: Path, max_bytes: int = 1000, files: int = 2) -> LogFile:
    return LogFile(LogConfig(folder=str(folder / "log"), max_bytes=max_bytes, files=files))


def names(file: LogFile) -> list[str]:
    return sorted(path.name for path in file.path.parent.iterdir())


def test_it_is_made_when_it_is_needed_for_its_user_only(tmp_path: Path) -> None:
    file = log_file(tmp_path)
    assert not file.path.parent.exists()
    file.append(LINE)
    file.append(LINE)
    assert file.path.read_bytes() == 2 * LINE
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_nothing_is_written_where_a_link_leads(tmp_path: Path) -> None:
    file = log_file(tmp_path)
    file.path.parent.mkdir()
    (tmp_path / "other").write_bytes(b"")
    file.path.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        file.append(LINE)
    assert not (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("read", [False, True])
def test_nobody_waits_for_who_reads_a_fifo_in_its_place(tmp_path: Path, read: bool) -> None:
    file = log_file(tmp_path)
    file.path.parent.mkdir()
    os.mkfifo(file.path)
    reader = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK) if read else None
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="not a plain file" if read else "No such device"):
        file.append(LINE)
    assert set(os.listdir("/proc/self/fd")) <= before
    if reader is not None:
        os.close(reader)


def test_a_file_is_put_aside_when_it_is_full_and_not_before(tmp_path: Path) -> None:
    file = log_file(tmp_path, max_bytes=2 * len(LINE))
    assert not file.rotate_if_full()
    file.append(LINE)
    assert not file.rotate_if_full()
    file.append(LINE)
    assert file.rotate_if_full()
    assert names(file) == ["loki.jsonl.1"]
    file.append(b"new\n")
    assert file.older(1).read_bytes() == 2 * LINE
    assert file.path.read_bytes() == b"new\n"


@pytest.mark.parametrize("files", [1, 2, 4])
def test_no_more_files_are_kept_than_allowed(tmp_path: Path, files: int) -> None:
    file = log_file(tmp_path, max_bytes=1, files=files)
    for number in range(10):
        file.append(f"{number}\n".encode())
        assert file.rotate_if_full()
    file.append(b"10\n")
    kept = [file.path, *(file.older(n) for n in range(1, files))]
    assert [int(path.read_text()) for path in kept] == list(range(10, 10 - files, -1))
    assert len(names(file)) == files


def test_writers_stop_where_nobody_puts_it_aside(tmp_path: Path) -> None:
    file = log_file(tmp_path, max_bytes=10 * len(LINE))
    for _ in range(100):
        file.append(LINE)
    assert file.path.stat().st_size == 20 * len(LINE)


def size_of(file: LogFile) -> int:
    try:
        return file.path.stat().st_size
    except FileNotFoundError:  # It was put aside just now.
        return 0


def write_all(file: LogFile, writer: int, count: int) -> None:
    """Not faster than files are put aside, for else lines would be left out."""
    for number in range(count):
        end_s = time.monotonic() + 60
        while size_of(file) > MANY_BYTES:
            assert time.monotonic() < end_s
            os.sched_yield()
        text = f"{writer}-{number}-" + "x" * (number % 200)
        file.append(json.dumps({"text": text}).encode() + b"\n")


def test_many_processes_write_whole_lines_while_files_are_put_aside(tmp_path: Path) -> None:
    """Nothing is lost, doubled or mixed."""
    writers, each = 4, 500
    file = log_file(tmp_path, max_bytes=MANY_BYTES, files=100)
    alive = set()
    for writer in range(writers):
        pid = os.fork()
        if pid == 0:
            try:
                write_all(file, writer, each)
            finally:
                os._exit(0)  # What it did not write is missed below.
        alive.add(pid)
    while alive:
        file.rotate_if_full()
        alive = {pid for pid in alive if os.waitpid(pid, os.WNOHANG) == (0, 0)}
    lines = [line for name in names(file) for line in (file.path.parent / name).open()]
    texts = Counter(json.loads(line)["text"].rpartition("-")[0] for line in lines)
    assert len(names(file)) > 3
    assert texts == Counter(f"{w}-{n}" for w in range(writers) for n in range(each))


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[logging.Logger]:
    made = logging.Logger("loki.test")
    made.addHandler(LogHandler(log_file(tmp_path, max_bytes=1_000_000)))
    yield made
    made.handlers.clear()


def written(folder: Path) -> list[LogRecord]:
    lines = (folder / "log" / "loki.jsonl").read_bytes().splitlines()
    records = [from_line(line) for line in lines]
    return [record for record in records if record is not None]


def test_a_record_has_its_process_and_what_it_brings_along(
    logger: logging.Logger, tmp_path: Path
) -> None:
    about = {"execution": "x1", "trace": "t1", "incident": "12ab"}
    logger.error("%s broke", "it", extra=about)
    (record,) = written(tmp_path)
    assert (record.level, record.actor, record.pid) == ("ERROR", "starter", os.getpid())
    assert (record.message, record.incident) == ("it broke", "12ab")
    assert (record.execution, record.trace) == ("x1", "t1")


def test_who_speaks_for_another_process_names_it(logger: logging.Logger, tmp_path: Path) -> None:
    logger.error("ouch", extra={"actor": "runner-1", "actor_pid": 99})
    (record,) = written(tmp_path)
    assert (record.actor, record.pid) == ("runner-1", 99)


def test_a_traceback_is_in_the_record_also_as_text(logger: logging.Logger, tmp_path: Path) -> None:
    try:
        raise LookupError("lost")
    except LookupError:
        logger.exception("first")
    record = logging.LogRecord("x", logging.ERROR, "", 0, "second", None, None)
    record.exc_text = "Traceback\n\n  File\n\nLookupError: lost"
    logger.handle(record)
    first, second = written(tmp_path)
    assert first.message.splitlines()[0] == "first"
    assert first.message.splitlines()[-1] == "LookupError: lost"
    assert second.message == "second\nTraceback\n  File\nLookupError: lost"


def test_a_level_of_its_own_is_told_as_one_that_all_know() -> None:
    assert record_of(logging.LogRecord("x", 25, "", 0, "m", None, None)).level == "INFO"


def test_a_log_that_cannot_be_written_ends_nothing_and_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_text("in the way")
    logger = logging.Logger("loki.test")
    logger.addHandler(LogHandler(log_file(tmp_path)))
    logger.error("one")
    logger.error("two")
    assert capsys.readouterr().err.count("cannot be written") == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "ERROR plain"),
        ("one\ntwo", "ERROR one\n    two"),
        ("one\r\nERROR two", "ERROR one\\x0d\n    ERROR two"),
        ("\x1b[31mred\x9b0m", "ERROR \\x1b[31mred\\x9b0m"),
        ("a\tb", "ERROR a\tb"),
    ],
)
def test_on_stderr_no_text_passes_for_another_event(text: str, line: str) -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", (text,), None)
    assert LineFormatter("%(levelname)s %(message)s").format(record) == line
