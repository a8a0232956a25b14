"""Follows which changes a disk refuses, and decides whether that is one call's matter or Hel's.

Theory of operation: a call that fails for the disk's sake says so to its caller, and the next one
may succeed, as on a card that wobbles. So there is trouble from the first failure until a change
succeeds after nothing has failed for a while. Where no change comes, a probe is due by then, which
changes nothing that anybody sees. Each reason is told in the log once, until all is well again.
"""

import errno
import logging
import math
import sqlite3
from dataclasses import dataclass

from loki.child import Clock

QUIET_S = 10.0
"""Without a failure, until a change that succeeds is believed, and a probe is worth a write."""
ROOM_BYTES = 64 * 1024
"""What cannot grow by that is on a full disk; else one change was too large for it."""

CODES = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
NUMBERS = frozenset(
    {
        errno.EPERM,
        errno.EIO,
        errno.EACCES,
        errno.EFBIG,
        errno.ENOSPC,
        errno.EROFS,
        errno.ESTALE,
        errno.EUCLEAN,
        errno.EDQUOT,
    }
)
FULL = OSError(errno.ENOSPC, "the disk is full")


@dataclass(frozen=True, slots=True)
class Refusals:
    """Of late; times are of the monotonic clock."""

    trouble: str = ""  # Why changes fail, for people; "" where only single ones did.
    told: frozenset[tuple[str, bool]] = frozenset()  # Reasons, and whether they are trouble.
    failed_s: float = -math.inf  # The last one.


NONE = Refusals()


def failed(before: Refusals, what: str, reason: str, now_s: float, *, alone: bool) -> Refusals:
    """After one more; `alone`, it says nothing about other changes."""
    trouble = before.trouble if alone else f"{what}: {reason}; it is tried again every 10 s"
    return Refusals(trouble, before.told | {(reason, alone)}, now_s)


def succeeded(before: Refusals, now_s: float) -> Refusals:
    """After a change that is on the disk."""
    return NONE if is_quiet(before, now_s) else before


def is_quiet(refusals: Refusals, now_s: float) -> bool:
    return now_s - refusals.failed_s >= QUIET_S


def is_of_disk(error: BaseException | None) -> bool:
    """Whether an error tells of the disk, and not of what was asked for."""
    if isinstance(error, sqlite3.Error):
        code = code_of(error)
        return code & 0xFF in CODES and code != sqlite3.SQLITE_IOERR_NOMEM
    return isinstance(error, OSError) and error.errno in NUMBERS


def is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    return code_of(error) == sqlite3.SQLITE_FULL


def reason_of(error: BaseException) -> str:
    """For people. SQLite has one text for many errors, so its own name of them is there too."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    name = getattr(error, "sqlite_errorname", "")
    return f"{error} ({name})" if name else str(error)


def code_of(error: BaseException) -> int:
    """SQLite's extended result code; 0 where the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0))


class Watch:
    """Of one store's changes. Its thread tells of them; any thread may ask how it is."""

    def __init__(self, clock: Clock, log: logging.Logger) -> None:
        self._clock = clock
        self._log = log
        self._refusals = NONE

    @property
    def trouble(self) -> str:
        return self._refusals.trouble

    @property
    def is_well(self) -> bool:
        """Whether nothing failed since all was well."""
        return self._refusals is NONE

    @property
    def is_due(self) -> bool:
        """Whether to find out by a probe."""
        return not self.is_well and is_quiet(self._refusals, self._clock.monotonic_s())

    def failed(self, what: str, error: BaseException, *, alone: bool = False) -> None:
        """A change did, for the disk's sake; `what` is how that is called."""
        before, reason = self._refusals, reason_of(error)
        now_s = self._clock.monotonic_s()
        self._refusals = failed(before, what, reason, now_s, alone=alone)
        if (reason, alone) not in before.told:
            self._log.error("%s", f"a change failed: {reason}" if alone else self.trouble)

    def succeeded(self) -> None:
        """A change did."""
        before = self._refusals
        self._refusals = succeeded(before, self._clock.monotonic_s())
        if before.trouble and self.is_well:
            self._log.info("changes succeed again, after this: %s", before.trouble)

    def forget(self) -> None:
        """All was begun anew."""
        self._refusals = NONE
