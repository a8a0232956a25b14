"""The command that makes a backup of a device."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import complain, connect, fail
from loki.cli.contents import as_json as counts_json
from loki.cli.contents import counted, doubts, summary
from loki.cli.option import DEFAULT_SERVER, AsJson, Server
from loki.cli.progress import Line
from loki.cli.termination import in_order
from loki.cli.view import Json, note, say, say_json

if TYPE_CHECKING:
    from loki.client import BackupContents, BackupStream

STDOUT = "-"
PARTIAL = ".partial"
MB = 1e6


def backup(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Where to put it; - is stdout. Mode 0600.")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace a FILE that is there.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Copy all that a device keeps into one file, while Loki runs.

    Scripts' values, files and time series, registered scripts: as they are at one moment. The
    settings, the tool file and the log are not in it.
    """
    if file == STDOUT and sys.stdout.isatty():
        fail("a backup is no text for a terminal: name a FILE, or redirect it")
    keep(file, force=force)
    try:
        with (
            written(file) as target,
            connect(server, as_json=as_json) as client,
            client.create_backup() as stream,
        ):
            note("waiting for a picture of the data ...")
            contents = stream.contents()
            size_bytes = _receive(stream, contents, target)
    except OSError as error:
        fail(f"{file}: {error.strerror}; no backup was made, and nothing is left of it")
    if file != STDOUT and as_json:
        say_json(_json(file, size_bytes, contents))
    elif file != STDOUT:
        say(f"{file}: {size_bytes / MB:.1f} MB, {summary(contents)}")
        say(f"in it: {counted(contents.counts)}")
    for doubt in doubts(contents.counts):
        complain(f"warning: {doubt}")


def keep(file: str, *, force: bool) -> None:
    """Ends the command rather than replace a file unasked."""
    if file != STDOUT and Path(file).exists() and not force:
        fail(f"{file} is there already; choose another name, or replace it with --force")


def _json(file: str, size_bytes: int, contents: "BackupContents") -> Json:
    return {
        "file": file,
        "size_bytes": size_bytes,
        "entries": contents.entries,
        "content_bytes": contents.size_bytes,
        "version": contents.version,
        "schema": contents.schema,
        "time": contents.time.isoformat(),
        "device": contents.device,
        "counts": counts_json(contents.counts),
    }


def _receive(stream: "BackupStream", contents: "BackupContents", target: IO[bytes]) -> int:
    """How many bytes the archive has."""
    size_bytes = 0
    progress = Progress(contents.size_bytes)
    try:
        for data in stream:
            target.write(data)
            size_bytes += len(data)
            progress.show(stream.sent_bytes)
    finally:
        progress.clear()
    return size_bytes


class Progress(Line):
    """Tells how far a transfer is."""

    def __init__(self, size_bytes: int, write: Callable[[str], None] | None = None) -> None:
        super().__init__(write)
        self._size_bytes = size_bytes

    def show(self, done_bytes: int) -> None:
        self.say(f"{done_bytes / MB:.1f} of {self._size_bytes / MB:.1f} MB")


@contextmanager
def written(file: str) -> Iterator[IO[bytes]]:
    """A file that is there wholly and durably after the block, or not at all.

    SIGTERM and SIGHUP leave nothing of it, as Ctrl-C does.

    Raises: OSError.
    """
    if file == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = Path(f"{file}{PARTIAL}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(partial, flags, 0o600)
    try:
        with in_order(), os.fdopen(descriptor, "wb") as target:
            os.fchmod(descriptor, 0o600)  # One that a kill left behind has the mode that it had.
            yield target
            target.flush()
            os.fsync(descriptor)
        partial.rename(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(Path(file).absolute().parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
