"""What is said of a chunk whose files do not give what was written: which one, and what to do."""

import errno
import logging
from collections.abc import Sequence

from hel_actor.plain_file import NotPlain
from hel_actor.series.journal import Series
from hel_actor.series.moment import utc
from hel_actor.series.series import Chunk
from loki.errors import ErrorCode, IoError

MAX_REASON = 120
LOST = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.EIO,
        errno.EBADMSG,
        errno.EUCLEAN,
    }
)
"""What asking again does not mend; too many open files, for one, it does."""


class DamagedChunk(IoError):
    """The file of one of a chunk's arrays is missing, or is not what was written."""

    default = ErrorCode.DATA_LOSS

    def __init__(self, number: int, file: str, reason: str) -> None:
        """`number` counts from the first chunk ever; `file` is as scripts may see it."""
        super().__init__(f"{file} {reason}")
        self.number = number
        self.file = file
        self.reason = reason


def is_lasting(error: Exception) -> bool:
    """Whether what reading raised is the file's own fault."""
    return not isinstance(error, OSError) or isinstance(error, NotPlain) or error.errno in LOST


def reason(error: Exception) -> str:
    """Why a file cannot be read, in few words and without the host's paths."""
    if isinstance(error, NotPlain):
        return error.what
    if isinstance(error, OSError):
        return "is missing" if error.errno == errno.ENOENT else f"failed: {error.strerror}"
    sentence = " ".join(str(error).split()).split(". ")[
        0
    ]  # Zarr goes on with bytes in hexadecimal.
    return f"is damaged: {sentence[:MAX_REASON]}"


def told(series: str, chunk: Chunk, found: DamagedChunk) -> IoError:
    """For whoever asked: `series` is SCRIPT/NAME, and `chunk` what the database knows of it."""
    first, last = utc(chunk.oldest_ns), utc(chunk.newest_ns)
    return IoError(
        f"rows of '{series}' from {first} to {last} cannot be read: {found.message} "
        f"(chunk {found.number}); read before and after these times, or put a backup back "
        "(`loki restore`); `loki doctor --deep` finds all such files",
        code=ErrorCode.DATA_LOSS,
        details={
            "series": series,
            "chunk": str(found.number),
            "file": found.file,
            "from": first,
            "to": last,
        },
    )


def told_row(series: str, time_ns: int | None) -> IoError:
    """For whoever asked for a row that waits for its file; None where its time is lost, too."""
    time = "an unknown time" if time_ns is None else utc(time_ns)
    return IoError(
        f"a row of '{series}' of {time}, which waits for its file, is damaged and no number any "
        "more; read before and after it, let it go with all that is older (hel:series_trim), or "
        "put a backup back (`loki restore`); `loki doctor` finds all such rows",
        code=ErrorCode.DATA_LOSS,
        details={"series": series, "from": time, "to": time},
    )


def told_attributes(series: str) -> IoError:
    """For whoever asked for them."""
    return IoError(
        f"the attributes of '{series}' are damaged, and its rows are not: hel:series_describe "
        "gives it new ones, or put a backup back (`loki restore`)",
        code=ErrorCode.DATA_LOSS,
        details={"series": series},
    )


class Reports:
    """What callers are told of what is damaged, and the log, but that only once."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told: set[tuple[str, str]] = set()  # Mark of the series, and what the log was told.

    def chunk(self, known: Series, chunks: Sequence[Chunk], found: DamagedChunk) -> IoError:
        """`chunks` are what the database knows of those that were read."""
        chunk = next(each for each in chunks if each.number == found.number)
        error = told(f"{known.namespace}/{known.name}", chunk, found)
        return self._once(known, f"chunk {chunk.number}", error)

    def row(self, known: Series, time_ns: int | None) -> IoError:
        """See `told_row`."""
        return self._once(
            known, f"row {time_ns}", told_row(f"{known.namespace}/{known.name}", time_ns)
        )

    def _once(self, known: Series, what: str, error: IoError) -> IoError:
        if (known.mark, what) not in self._told:
            self._told.add((known.mark, what))
            self._log.error("%s", error)
        return error
