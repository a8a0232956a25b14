"""The scripts folder as a source of Lua modules: it gives what lies in it, and nothing else."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from loki.core.library.module_name import files_of, missing, name_of
from loki.errors import ConfigurationError, ErrorCode, IoError, LokiError
from loki.tool.document import read_text

MAX_SOURCE_BYTES = 1024 * 1024
MOST_LISTED = 1000  # Files that are looked at to find the one that was meant.


@dataclass(frozen=True, slots=True)
class ModuleSource:
    file: str  # What error messages call it.
    text: str


class ModuleFolder:
    """Reads modules anew each time, so that an edit is in the next run."""

    def __init__(self, storage: Path, *, tools: Path, closed: Path) -> None:
        """`closed` is the state, which scripts may write to: nothing in it is a module.

        Names of files in messages begin where those of the tool file's scripts do.
        """
        self._storage = storage.resolve()
        self._closed = closed.resolve()
        around = tools.parent.resolve()
        beside = self._storage.is_relative_to(around)
        self._shown = self._storage.relative_to(around) if beside else Path(self._storage.name)

    def read(self, name: str) -> ModuleSource:
        """Raises: InvalidArgument for a bad name; LokiError with NOT_FOUND; IoError."""
        for relative in files_of(name):
            path = self._storage / relative
            if path.is_file():
                return self._read(path, relative)
        raise missing(name, self._names())

    def holds(self, file: Path) -> bool:
        """Whether a file lies in the folder or below it."""
        return file.resolve().is_relative_to(self._storage)

    def _read(self, path: Path, relative: PurePosixPath) -> ModuleSource:
        file = str(self._shown / relative)
        real = path.resolve()
        if not real.is_relative_to(self._storage) or real.is_relative_to(self._closed):
            raise LokiError(
                f"{file} leads out of the scripts folder; move the file there",
                code=ErrorCode.SCRIPT_PERMISSION,
                details={"file": file},
            )
        try:
            return ModuleSource(file, read_text(real, MAX_SOURCE_BYTES))
        except ConfigurationError as error:  # It begins with the path, which is nobody's business.
            what = error.message.removeprefix(str(real))
            raise IoError(f"{file}{what}", details={"file": file}) from error

    def _names(self) -> list[str]:
        files = islice(self._storage.rglob("*.lua"), MOST_LISTED)
        return [name for file in files if (name := name_of(self._relative(file)))]

    def _relative(self, file: Path) -> PurePosixPath:
        return PurePosixPath(file.relative_to(self._storage))
