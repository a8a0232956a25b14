"""What is said of files that cannot be served: in scripts' words, never with the host's paths."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from hel_actor.file.resolver import Refusal
from loki.errors import ErrorCode, IoError

SHOWN = 200  # Characters of a path in messages.

REASONS = {
    errno.ENOENT: "does not exist",
    errno.ELOOP: "leads through a symbolic link",
    errno.EXDEV: "leads to another file system",
    errno.ENOTDIR: "has a part that is not a directory",
    errno.EISDIR: "is a directory",
    errno.ENOTEMPTY: "is a directory that is not empty",
    errno.EEXIST: "exists and is not a directory",
    errno.ENXIO: "is not a regular file",
    errno.ENOSPC: "does not fit: the disk is full",
}


class MissingFolder(Refusal):
    """What is put into a folder does not make it."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"lies in {folder[:SHOWN]!r}, which does not exist; make that folder with "
            "hel:fs_create_dir"
        )


@contextmanager
def naming(action: str, path: str) -> Iterator[None]:
    """Turn refusals into errors that name the path as the script wrote it, never the host's."""
    shown = path[:SHOWN].encode(errors="backslashreplace").decode()
    try:
        yield
    except Refusal as refusal:
        missing = isinstance(refusal, MissingFolder)
        code = ErrorCode.NOT_FOUND if missing else ErrorCode.IO
        raise _error(action, shown, str(refusal), code) from None
    except OSError as error:
        code = ErrorCode.NOT_FOUND if error.errno == errno.ENOENT else ErrorCode.IO
        reason = REASONS.get(error.errno or 0, f"failed: {error.strerror}")
        raise _error(action, shown, reason, code) from error


def unserved(error: OSError) -> str:
    """What is told where the directory of all scripts cannot be used."""
    name = os.path.basename(os.fsdecode(error.filename)) if error.filename else ""
    return f"scripts have no files: {error.strerror}" + (f" ({name})" if name else "")


def _error(action: str, shown: str, reason: str, code: ErrorCode) -> IoError:
    return IoError(f"cannot {action} {shown!r}: it {reason}", code=code, details={"path": shown})
