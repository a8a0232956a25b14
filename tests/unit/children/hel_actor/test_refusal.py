"""What tells of a disk that refuses changes, and when it is believed to take them again."""

import errno
import logging
import os
import sqlite3

import pytest
from hel_actor.refusal import (
    FULL,
    NONE,
    QUIET_S,
    Watch,
    failed,
    is_full,
    is_of_disk,
    is_quiet,
    reason_of,
    succeeded,
)

from loki.clock import FakeClock

LOG = logging.getLogger("test.refusal")


def of_sqlite(code: int, text: str = "disk I/O error") -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def of_kernel(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), True),
        (of_sqlite(sqlite3.SQLITE_IOERR_TRUNCATE), True),
        (of_sqlite(sqlite3.SQLITE_IOERR_SHMSIZE), True),
        (of_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), True),
        (of_sqlite(sqlite3.SQLITE_FULL), True),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), True),
        (of_sqlite(sqlite3.SQLITE_IOERR_NOMEM), False),
        (of_sqlite(sqlite3.SQLITE_BUSY), False),
        (of_sqlite(sqlite3.SQLITE_CONSTRAINT), False),
        (sqlite3.ProgrammingError("no such column"), False),
        (of_kernel(errno.EROFS), True),
        (of_kernel(errno.EIO), True),
        (of_kernel(errno.EACCES), True),
        (of_kernel(errno.ENOENT), False),
        (of_kernel(errno.ENOTEMPTY), False),
        (ValueError("of a bug"), False),
        (None, False),
    ],
)
def test_which_errors_tell_of_the_disk(error: Exception | None, expected: bool) -> None:
    assert is_of_disk(error) is expected


def test_which_errors_tell_that_it_is_full() -> None:
    assert is_full(of_sqlite(sqlite3.SQLITE_FULL))
    assert is_full(FULL)
    assert not is_full(of_sqlite(sqlite3.SQLITE_IOERR_WRITE))
    assert not is_full(of_kernel(errno.EROFS))


def test_sqlites_own_name_of_an_error_is_told_too() -> None:
    error = of_sqlite(sqlite3.SQLITE_IOERR_WRITE)
    assert reason_of(error) == "disk I/O error"
    error.sqlite_errorname = "SQLITE_IOERR_WRITE"
    assert reason_of(error) == "disk I/O error (SQLITE_IOERR_WRITE)"
    assert reason_of(of_kernel(errno.EROFS)) == "Read-only file system"


def test_one_failure_is_trouble_until_a_change_succeeds_when_it_is_quiet() -> None:
    one = failed(NONE, "changes fail", "EIO", 100.0, alone=False)
    assert one.trouble.startswith("changes fail: EIO")
    assert succeeded(one, 100.0 + QUIET_S - 0.1) == one
    assert succeeded(one, 100.0 + QUIET_S) == NONE
    again = failed(one, "changes fail", "EIO", 109.0, alone=False)
    assert succeeded(again, 111.0) == again
    assert (is_quiet(again, 111.0), is_quiet(again, 119.0)) == (False, True)


def test_what_failed_alone_is_no_trouble_and_takes_none_away() -> None:
    alone = failed(NONE, "changes fail", "full", 1.0, alone=True)
    assert alone.trouble == ""
    trouble = failed(alone, "changes fail", "full", 2.0, alone=False)
    assert failed(trouble, "changes fail", "full", 3.0, alone=True).trouble == trouble.trouble


def test_each_reason_is_in_the_log_once_until_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    watch = Watch(clock, LOG)
    assert (watch.is_well, watch.is_due, watch.trouble) == (True, False, "")
    for _ in range(3):
        watch.failed("changes fail", of_kernel(errno.EIO))
        watch.failed("changes fail", of_kernel(errno.EROFS))
        clock.advance(1.0)
        watch.succeeded()
        assert not watch.is_well
    told = [record.message for record in caplog.records]
    assert [("Input/output" in told[0]), ("Read-only" in told[1]), len(told)] == [True, True, 2]
    assert not watch.is_due
    clock.advance(QUIET_S)
    assert watch.is_due
    watch.succeeded()
    assert (watch.is_well, watch.is_due, watch.trouble) == (True, False, "")
    assert "succeed again" in caplog.records[-1].message
    watch.failed("changes fail", of_kernel(errno.EIO))
    assert len(caplog.records) == 4
    watch.forget()
    assert watch.is_well
