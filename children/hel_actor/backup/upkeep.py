"""What is done to Hel's data while no Hel runs; the command line asks for it."""

from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from hel_actor.backup import swap
from hel_actor.backup.bundle import BLOCK_BYTES
from hel_actor.backup.restore import Receiver, naming
from loki.child import BackupContents, Clock

OFFLINE = "offline"
"""The id of a restore that nobody will ask for later."""


class Place(msgspec.Struct, frozen=True):
    """As much of Hel's settings as this needs; the rest does not matter here."""

    state_dir: str


def restore(
    config: bytes, archive: IO[bytes], agreed: Callable[[BackupContents], None], clock: Clock
) -> str:
    """Let an archive take the place of the data; the folder of the state with what was there.

    `agreed` is told what is about to be restored, and raises where nothing is to be changed. A
    kill leaves the old data, or lets the next start bring it to its end. Nobody else may use the
    state directory meanwhile. Raises: LokiError.
    """
    state = Path(msgspec.msgpack.decode(config, type=Place).state_dir)
    swap.finish(state)
    receiver = Receiver(state, clock)
    with naming():
        try:
            _receive(receiver, archive)
            agreed(receiver.check(lambda: None))
            receiver.decide(OFFLINE)
        finally:
            receiver.clear()
    plan = swap.finish(state)
    assert plan is not None  # noqa: S101  # It was decided just now.
    return plan.aside


def _receive(receiver: Receiver, archive: IO[bytes]) -> None:
    with receiver.begin() as file:
        while data := archive.read(BLOCK_BYTES):
            receiver.require_room(len(data))
            file.write(data)
