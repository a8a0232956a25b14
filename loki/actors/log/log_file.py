"""The log on disk: every process appends to one file, and the starter alone puts a full one aside.

Theory of operation. Each record is opened for, written with one call in append mode, and closed: so
lines of many processes never mix, whoever renamed the file meanwhile is obeyed at once, and nobody
holds on to a file that is deleted. That costs some 20 microseconds a record, and records are rare.
Where the starter comes late, writers stop at twice the size: whatever happens, the disk is safe.
"""

import errno
import logging
import os
import stat
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from loki.actors.base.process import own_name
from loki.core.log_record import LEVELS, LogRecord, to_line
from loki.messages.log import LogConfig

FILE_NAME = "loki.jsonl"
LATE_FACTOR = 2


class LogFile:
    """The newest file, and older ones with a number behind their name."""

    def __init__(self, config: LogConfig) -> None:
        """It is made when something is logged first."""
        self.path = Path(config.folder, FILE_NAME)
        self.files = config.files
        self._most_bytes = config.max_bytes

    def append(self, line: bytes) -> None:
        """Raises: OSError when the disk does not take it."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        flags |= os.O_NONBLOCK  # Who logs must not wait for a reader of a FIFO in its place.
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, flags, 0o600)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, f"{FILE_NAME} is not a plain file")
            if status.st_size >= LATE_FACTOR * self._most_bytes:
                return
            if os.write(descriptor, line) < len(line):
                os.write(descriptor, b"\n")  # The next line is whole again.
        finally:
            os.close(descriptor)

    def older(self, number: int) -> Path:
        """1 is the file before the newest."""
        return self.path.with_name(f"{FILE_NAME}.{number}")

    def rotate_if_full(self) -> bool:
        """Put the newest aside if it is full, and drop the oldest. Only one process may do this."""
        try:
            if self.path.stat().st_size < self._most_bytes:
                return False
        except FileNotFoundError:
            return False
        names = [self.path, *(self.older(n) for n in range(1, self.files))]
        if len(names) == 1:
            self.path.unlink()
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            with suppress(FileNotFoundError):
                newer.replace(older)
        return True


class LogHandler(logging.Handler):
    """Sends Python's records to the file. Attributes that a record may bring along: `execution`,
    `trace`, `incident`, and, when it speaks for another process, `actor` and `actor_pid`.
    """

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self._file = file
        self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: who logs is doing something else. The first failure shows on stderr."""
        try:
            self._file.append(to_line(record_of(record)))
        except OSError as error:
            if not self._failed:
                self._failed = True
                sys.stderr.write(f"{self._file.path} cannot be written: {error}\n")


def record_of(record: logging.LogRecord) -> LogRecord:
    known = {name: str(getattr(record, name, "")) for name in ("execution", "trace", "incident")}
    return LogRecord(
        time=datetime.fromtimestamp(record.created, UTC),
        level=record.levelname if record.levelname in LEVELS else "INFO",
        actor=str(getattr(record, "actor", own_name())),
        pid=int(getattr(record, "actor_pid", os.getpid())),
        message=text_of(record),
        **known,
    )


def text_of(record: logging.LogRecord) -> str:
    """The message, and the traceback behind it."""
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        text += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    elif record.exc_text:
        text += "\n" + record.exc_text.replace("\n\n", "\n").rstrip()  # Thespian doubles them.
    return text


class LineFormatter(logging.Formatter):
    """For stderr, which people read: further lines of an event are indented, so that no text can
    pass for another event, and a terminal obeys none.
    """

    CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
    CONTROLS[ord("\n")] = "\n    "
    CONTROLS[ord("\t")] = "\t"

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).translate(self.CONTROLS)
