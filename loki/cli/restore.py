"""The command that puts a backup back."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, TypeAlias

import typer

from loki.cli.backup import STDOUT, Progress
from loki.cli.connection import complain, connect, fail
from loki.cli.contents import as_json as counts_json
from loki.cli.contents import counted, doubts, summary
from loki.cli.option import DEFAULT_SERVER, AsJson, Config, Server
from loki.cli.view import note, say, say_json

if TYPE_CHECKING:
    from loki.child import BackupContents as Announced
    from loki.client import BackupContents, RestoreStream

SHOWN_EVERY_S = 0.2

Agreed: TypeAlias = "Callable[[BackupContents], None]"
"""Told what is about to be restored; ends the command where nobody agrees."""
Act: TypeAlias = "Callable[[IO[bytes], Agreed], tuple[str, BackupContents]]"
"""Restores an archive; the folder with what was there before, and what the archive says."""


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A backup; - is stdin.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Of the device itself, while no Loki runs on it.")
    ] = False,
    config: Config = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Let a backup take the place of all that a device keeps, while Loki runs.

    The device verifies all of it first. What was there before stays on the device, in a folder
    that the command names. Calls of scripts fail for a moment meanwhile.
    """
    if not yes and not is_asked():
        fail("there is no terminal to ask at; --yes restores without asking")
    act = _offline(config) if offline else _online(server, as_json)
    agreed = _everybody if yes else _asking(file, "this device" if offline else server)
    try:
        with opened(file) as archive:
            kept_aside, contents = act(archive, agreed)
    except OSError as error:
        fail(f"{file}: {error.strerror}; nothing was changed")
    if as_json:
        say_json(
            {
                "file": file,
                "kept_aside": kept_aside,
                "time": contents.time.isoformat(),
                "counts": counts_json(contents.counts),
            }
        )
    else:
        say(f"restored {summary(contents)}")
        say(f"in it: {counted(contents.counts)}")
        say(f"what was there before is in {kept_aside}/ of the state directory")


def _online(server: str, as_json: bool) -> Act:
    def act(archive: IO[bytes], agreed: Agreed) -> "tuple[str, BackupContents]":
        with (
            connect(server, as_json=as_json) as client,
            client.restore_backup(archive) as stream,
        ):
            contents = _checked(stream, archive)
            agreed(contents)
            return _confirmed(stream), contents

    return act


def _confirmed(stream: "RestoreStream") -> str:
    from loki.client import LokiClientError

    try:
        return stream.restore()
    except LokiClientError:
        note(
            "it may be decided on already: then it is in place when Loki runs, and a folder of the "
            "state directory is called before-restore- and the time; `loki doctor` there names it"
        )
        raise


def _offline(config: Path | None) -> Act:
    from loki import bootstrap
    from loki.errors import LokiError

    def act(archive: IO[bytes], agreed: Agreed) -> "tuple[str, BackupContents]":
        found: list[BackupContents] = []

        def tell(told: "Announced") -> None:
            found.append(_public(told))
            agreed(found[0])

        try:
            return bootstrap.restore(bootstrap.load(config, None), archive, tell), found[0]
        except LokiError as error:
            fail(error.message)

    return act


def _public(told: "Announced") -> "BackupContents":
    from msgspec.structs import asdict

    from loki.client import BackupContents, BackupCounts

    return BackupContents(
        entries=told.entries,
        size_bytes=told.size_bytes,
        version=told.version,
        schema=told.schema,
        time=datetime.fromtimestamp(told.time_ns / 1e9, UTC),
        device=told.device,
        counts=BackupCounts(**asdict(told.counts)),
    )


def is_asked() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty()


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Raises: OSError."""
    if file == STDOUT:
        yield sys.stdin.buffer
        return
    with open(file, "rb") as archive:
        yield archive


def _checked(stream: "RestoreStream", archive: IO[bytes]) -> "BackupContents":
    """What the device found, with the progress of what is sent to it."""
    over = threading.Event()
    shower = threading.Thread(target=_show, args=(stream, _size_bytes(archive), over), daemon=True)
    shower.start()
    try:
        return stream.checked()
    finally:
        over.set()
        shower.join()


def _size_bytes(archive: IO[bytes]) -> int:
    """0 where nobody knows."""
    try:
        return os.fstat(archive.fileno()).st_size
    except OSError:
        return 0


def _show(stream: "RestoreStream", size_bytes: int, over: threading.Event) -> None:
    progress = Progress(size_bytes)
    while not over.wait(SHOWN_EVERY_S):
        progress.show(stream.sent_bytes)
    progress.clear()


def _everybody(contents: "BackupContents") -> None:
    """Nobody is asked."""
    _warn(contents)


def _warn(contents: "BackupContents") -> None:
    for doubt in doubts(contents.counts):
        complain(f"warning: {doubt}")


def _asking(file: str, where: str) -> Agreed:
    def ask(contents: "BackupContents") -> None:
        note(f"{file} is sound: {summary(contents)}")
        note(f"In it: {counted(contents.counts)}.")
        _warn(contents)
        note(
            f"It takes the place of all that {where} keeps: values, files, time series, registered "
            "scripts. Those stay there, in a folder of their own."
        )
        if not typer.confirm("Restore it?", err=True):
            fail("nothing was changed")

    return ask
