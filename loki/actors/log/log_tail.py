"""Reads the log as it is, and as it grows; follows it when the starter puts a full file aside.

All methods block on the disk, and belong into one thread, which need not be always the same.
"""

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from loki.actors.log.log_file import LogFile
from loki.core.log_record import LogFilter, LogRecord, from_line

PIECE_BYTES = 256 * 1024


class LogTail:
    """One reader; `close` it."""

    def __init__(self, file: LogFile, wanted: LogFilter) -> None:
        self._file = file
        self._wanted = wanted
        self._newest: BinaryIO | None = None
        self._rest = b""  # Of a line whose end is not written yet.

    def last(self, count: int) -> list[LogRecord]:
        """The newest records that are wanted, oldest first. What is written later is `fresh`."""
        with ExitStack() as opened:
            # The newest first: if it is put aside meanwhile, we find it twice and not never.
            files = self._open_all(opened)
            self._newest = files.pop(0) if files else None
            found: deque[LogRecord] = deque(maxlen=count)
            for file in reversed(files):
                found.extend(self._wanted_of(file))
        if self._newest is not None:
            lines = self._newest.readlines()
            self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
            found.extend(self._wanted_of(lines))
        return list(found)

    def _open_all(self, opened: ExitStack) -> list[BinaryIO]:
        """Each file once; all but the newest are closed with `opened`."""
        files: list[BinaryIO] = []
        seen: set[int] = set()
        for number in range(self._file.files):
            file = open_or_none(self._file.older(number) if number else self._file.path)
            if file is None:
                if number == 0:
                    return []
                continue
            inode = os.fstat(file.fileno()).st_ino
            if number:
                opened.callback(file.close)
            if inode not in seen:
                files.append(file)
            seen.add(inode)
        return files

    def fresh(self) -> tuple[list[LogRecord], bool]:
        """Wanted records that were written since, and whether there may be more at once."""
        if self._newest is None:
            self._newest = open_or_none(self._file.path)
        if self._newest is None:
            return [], False
        put_aside = self._is_put_aside(self._newest)  # Asked first: who writes late has till now.
        piece = self._newest.read(PIECE_BYTES)
        if not piece:
            if put_aside:
                self.close()
            return [], put_aside
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return list(self._wanted_of(lines)), True

    def _is_put_aside(self, newest: BinaryIO) -> bool:
        try:
            return os.stat(self._file.path).st_ino != os.fstat(newest.fileno()).st_ino
        except FileNotFoundError:
            return False  # Nobody has logged anything since.

    def _wanted_of(self, lines: Iterable[bytes]) -> Iterator[LogRecord]:
        for line in lines:
            record = from_line(line)
            if record is not None and self._wanted.admits(record):
                yield record

    def close(self) -> None:
        if self._newest is not None:
            self._newest.close()
        self._newest, self._rest = None, b""


def open_or_none(path: Path) -> BinaryIO | None:
    """None where there is no plain file: reading something else might never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")
