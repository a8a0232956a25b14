"""Replaces a settings' file at once and wholly, as the one that it was."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from loki.errors import ErrorCode, LokiError


def replace_text(path: Path, text: str, before: str) -> None:
    """Write it in place of `before`, "" for no file; a link goes on pointing where it does.

    May block.

    Raises: LokiError (CONFIGURATION), which says so where something has changed.
    """
    real = Path(os.path.realpath(path))
    try:
        descriptor, made = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            _as_it_was(real, file.fileno())
            os.fsync(file.fileno())
        _require_same(path, real, before)
        os.replace(made, real)
    except OSError as error:
        raise _refusal(path, error) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(made)
    try:
        _settle(real.parent)
    except OSError as error:
        raise LokiError(
            f"{path}: was changed, and may not survive a power failure: {error.strerror}",
            code=ErrorCode.CONFIGURATION,
        ) from error


def read_raw(path: Path, max_bytes: int) -> str:
    """Its text with its own line ends. May block.

    Raises: LokiError (CONFIGURATION).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # A pipe would wait.
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LokiError(f"{path}: is no regular file", code=ErrorCode.CONFIGURATION)
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise LokiError(
                f"{path}: larger than {max_bytes // 1024} KiB", code=ErrorCode.CONFIGURATION
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        raise LokiError(
            f"{path}: cannot be read: {error.strerror}", code=ErrorCode.CONFIGURATION
        ) from error
    except UnicodeDecodeError as error:
        raise LokiError(
            f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8",
            code=ErrorCode.CONFIGURATION,
        ) from error


def _as_it_was(real: Path, descriptor: int) -> None:
    """Owner and mode; a new file is for its owner alone."""
    with suppress(FileNotFoundError):
        old = os.stat(real)
        os.fchmod(descriptor, old.st_mode & 0o7777)
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, old.st_uid, old.st_gid)


def _require_same(path: Path, real: Path, before: str) -> None:
    """Whether nobody else wrote it meanwhile. Raises: LokiError."""
    if (before or real.exists()) and read_raw(real, len(before.encode()) + 4) != before:
        raise LokiError(
            f"{path}: somebody else is changing it just now; try again",
            code=ErrorCode.REVISION_CONFLICT,
        )


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> LokiError:
    return LokiError(
        f"{path}: cannot be written: {error.strerror}; nothing has changed: change the settings "
        "where this file comes from, or let Loki write it and its folder",
        code=ErrorCode.CONFIGURATION,
    )
