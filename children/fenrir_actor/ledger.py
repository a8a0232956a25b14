"""Which outputs runs drive, on file: the next incarnation reads what a killed one left driven.

Theory of operation. The file is used as memory, so that writing costs microseconds and never waits
for a disk; after a loss of power the hardware is reset anyway. It has two halves, written in turn,
content first and then its number and checksum. Whenever the process is killed, one half is whole:
the newer one that is counts.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from fenrir_actor.board import Board
from fenrir_actor.lines import Drive, Output, Owner, line_of
from fenrir_actor.page import mapped
from loki.errors import IoError


class Held(msgspec.Struct, frozen=True):
    """One output, and the run that drives it."""

    run: str
    runner_pid: int  # A run that is repeated is another one for us.
    line: int | None = None
    actuator: str | None = None


HEAD = struct.Struct("<QII")  # Number, length, checksum.
HELD_BYTES = 512  # Of one entry at most: a run's id, a name, a few numbers.

_decoder = msgspec.msgpack.Decoder(tuple[Held, ...])
_encode = msgspec.msgpack.Encoder().encode


class Ledger:
    """A file of the run directory with room for every output of a board."""

    def __init__(self, path: Path, board: Board) -> None:
        """Raises: OSError where the file cannot be used."""
        outputs = board.line_count + len(board.actuators)
        self._half_bytes = HEAD.size + outputs * HELD_BYTES
        self._memory = mapped(path, 2 * self._half_bytes)
        self._number = max(self._halves(), default=0)

    def read(self) -> tuple[Held, ...]:
        """What was written last; nothing where nothing was."""
        halves = self._halves()
        return halves[max(halves)] if halves else ()

    def write(self, held: tuple[Held, ...]) -> None:
        """A process that is killed meanwhile leaves the old content or the new one.

        Raises: IoError where run ids are too long for it.
        """
        content = _encode(held)
        if HEAD.size + len(content) > self._half_bytes:
            raise IoError("cannot note who drives the outputs: there are too many words to it")
        number = self._number + 1
        start = number % 2 * self._half_bytes
        self._memory[start + HEAD.size : start + HEAD.size + len(content)] = content
        HEAD.pack_into(self._memory, start, number, len(content), _checksum(number, content))
        self._number = number

    def _halves(self) -> dict[int, tuple[Held, ...]]:
        """Those that are whole, by number."""
        found: dict[int, tuple[Held, ...]] = {}
        for start in (0, self._half_bytes):
            number, length, checksum = HEAD.unpack_from(self._memory, start)
            content = self._memory[start + HEAD.size : start + HEAD.size + length]
            if number and checksum == _checksum(number, content):
                found[number] = _decoder.decode(content)
        return found


def _checksum(number: int, content: bytes) -> int:
    return zlib.crc32(content, number & 0xFFFFFFFF)


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
