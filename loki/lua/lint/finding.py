"""What the lint has to say about one place of a script."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How sure it is that the author did not mean it."""

    ERROR = "error"  # It fails, or is nil for ever, whenever a run gets there.
    WARNING = "warning"  # It runs; hardly as meant.


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem. Lines and columns count from 1, columns in characters."""

    line: int
    column: int
    end_column: int  # Behind its last character on that line.
    severity: Severity
    rule: str
    message: str


def place(found: Finding) -> tuple[int, int]:
    """To sort findings by."""
    return found.line, found.column
