"""Which line a script means, and which run owns a line or an actuator."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import TypeAlias

from fenrir_actor.board import Board
from loki.errors import ErrorCode, IoError, LokiError

NUMBER_DIGITS = 6
NAME_LETTERS = 64


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the board."""

    number: int  # BCM
    name: str = ""
    safe: bool | None = None  # Level after a run that has written it; None keeps its level.

    def __str__(self) -> str:
        return f"line {self.number}" + (f" '{self.name}'" if self.name else "")


@dataclass(frozen=True, slots=True)
class Drive:
    """One actuator of the board."""

    id: str
    safe: float | None = None  # Value after a run that has set it; None keeps its value.

    def __str__(self) -> str:
        return f"actuator '{self.id}'"


Output: TypeAlias = Line | Drive


@dataclass(frozen=True, slots=True)
class Owner:
    """A run that drives outputs."""

    run: str
    script: str
    runner_pid: int = 0

    def __str__(self) -> str:
        return f"'{self.script}' (run {self.run[:8]})"


class Busy(IoError):
    """An output belongs to another run."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns which output: one run each, from its first write until the run ends."""

    owners: Mapping[Output, Owner] = field(default_factory=lambda: MappingProxyType({}))

    def holder(self, output: Output) -> Owner | None:
        """The run that owns it."""
        return self.owners.get(output)

    def claim(self, output: Output, owner: Owner) -> "Ownership":
        """Give a free output to `owner`, or let it keep its own. Raises: Busy, naming the owner."""
        holder = self.owners.get(output, owner)
        if holder != owner:
            raise Busy(
                f"{output} belongs to {holder} until that run ends; try again then",
                details={"output": str(output), "owner": str(holder)},
            )
        return replace(self, owners=MappingProxyType({**self.owners, output: owner}))

    def release(self, run: str) -> tuple["Ownership", tuple[Output, ...]]:
        """Take everything from `run`; also what that was, in the order of its first writes."""
        freed = tuple(output for output, owner in self.owners.items() if owner.run == run)
        kept = {output: owner for output, owner in self.owners.items() if owner.run != run}
        return replace(self, owners=MappingProxyType(kept)), freed


def line_of(board: Board, pin: int | str) -> Line:
    """The line that a number, a name, or a number in a string means.

    Raises: LokiError NOT_FOUND that names the nearest lines.
    """
    names = {number: name for name, number in board.line_names.items()}
    number = board.line_names.get(pin, pin) if isinstance(pin, str) else pin
    if isinstance(number, str):
        if not number.isdecimal() or len(number) > NUMBER_DIGITS:
            raise not_found("line", number, board.line_names)
        number = int(number)
    if not 0 <= number < board.line_count:
        raise LokiError(
            f"there is no line {number}; lines are 0 to {board.line_count - 1}",
            code=ErrorCode.NOT_FOUND,
            details={"line": str(number)},
        )
    name = names.get(number, "")
    return Line(number=number, name=name, safe=board.safe_levels.get(name))


def not_found(kind: str, wanted: str, known: Iterable[str]) -> LokiError:
    """NOT_FOUND with the names that come near, or the first few of all."""
    wanted = wanted[:NAME_LETTERS]  # A script may send a megabyte.
    names = sorted(known)
    near = get_close_matches(wanted, names, n=3) or names[:10]
    return LokiError(
        f"there is no {kind} '{wanted}'; "
        + (f"there is {', '.join(near)}" if near else "none is set up"),
        code=ErrorCode.NOT_FOUND,
        details={kind: wanted, "near": ", ".join(near)},
    )
