"""The file in which earlier versions kept registered scripts: read once, then put away."""

import os
import time
from pathlib import Path

import msgspec

from loki.errors import IoError
from loki.messages.script import Script


class ScriptFile:
    """Every method may block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        return self._path.exists()

    def read(self) -> tuple[tuple[Script, ...], int]:
        """Its scripts, and when it was written, in ns. Raises: IoError where it is none."""
        try:
            scripts = msgspec.msgpack.decode(self._path.read_bytes(), type=tuple[Script, ...])
            return scripts, self._path.stat().st_mtime_ns
        except (OSError, msgspec.DecodeError) as error:
            raise IoError(f"{self._path} cannot be read: {error}") from error

    def set_aside(self) -> None:
        """Keep what cannot be read under another name, for people."""
        self._move(f".unreadable-{time.time_ns()}")

    def retire(self) -> None:
        """All of it is kept elsewhere by now. Raises: IoError."""
        self._move(f"{self._path.suffix}.imported")

    def _move(self, suffix: str) -> None:
        try:
            self._path.rename(self._path.with_suffix(suffix))
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise IoError(f"{self._path} cannot be renamed: {error.strerror}") from error
