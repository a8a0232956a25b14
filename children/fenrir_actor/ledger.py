"""Which outputs runs drive, on file: the next incarnation reads what a killed one left driven.

It is replaced as a whole and not synced: after a loss of power the hardware is reset anyway.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from fenrir_actor.board import Board
from fenrir_actor.lines import Drive, Output, Owner, line_of


class Held(msgspec.Struct, frozen=True):
    """One output, and the run that drives it."""

    run: str
    runner_pid: int  # A run that is repeated is another one for us.
    line: int | None = None
    actuator: str | None = None


_decoder = msgspec.msgpack.Decoder(tuple[Held, ...])
_encode = msgspec.msgpack.Encoder().encode


class Ledger:
    """A file of the run directory. Every method raises OSError where the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[Held, ...]:
        """What was held when it was last written; nothing where there is no such file.

        Raises: OSError, msgspec.DecodeError.
        """
        try:
            return _decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return ()

    def write(self, held: tuple[Held, ...]) -> None:
        """A process that is killed meanwhile leaves the old content or the new one."""
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(_encode(held))
        fresh.replace(self._path)


def held_of(owners: Mapping[Output, Owner]) -> tuple[Held, ...]:
    return tuple(_held(output, owner) for output, owner in owners.items())


def _held(output: Output, owner: Owner) -> Held:
    if isinstance(output, Drive):
        return Held(owner.run, owner.runner_pid, actuator=output.id)
    return Held(owner.run, owner.runner_pid, line=output.number)


def outputs_of(held: Iterable[Held], board: Board) -> tuple[tuple[Held, Output], ...]:
    """Those that the board still has: its settings may have changed."""
    found: list[tuple[Held, Output]] = []
    for each in held:
        if each.line is not None and each.line < board.line_count:
            found.append((each, line_of(board, each.line)))
        elif each.actuator in board.actuators:
            safe = board.actuators[each.actuator].safe
            found.append((each, Drive(id=each.actuator, safe=safe)))
    return tuple(found)
