"""The code blocks of a document, and whether an output is what the document shows.

A console block holds commands, each after `$ ` and with what it prints; a block with a file name
after its language, as in "```toml blink.toml", is what the text tells to save under that name.
In what is shown, `…` is anything, and on a line of its own any lines. Decimal fractions, ports and
sizes in KiB differ from run to run, as do blank lines and the width of columns; nothing else does.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIES = {
    r"(?<=127\.0\.0\.1:)\d+": r"\d+",
    r"-?\b\d+\.\d+(?:e-?\d+)?\b(?!\.)": r"-?\d+\.\d+(?:e-?\d+)?",
    r"\b\d+(?= KiB\b)": r"\d+",
    r"─+": "─+",
    r"…": ".*",
    r" +": " +",
}
_varies = re.compile("|".join(f"({pattern})" for pattern in VARIES))
_patterns = list(VARIES.values())


@dataclass
class Command:
    """One command of a console block, and what it prints."""

    line: str
    shown: list[str] = field(default_factory=list)


@dataclass
class Block:
    document: Path
    line: int
    language: str
    file: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document.name}:{self.line}"

    def commands(self) -> list[Command]:
        """Of a console block. Raises: ValueError where it does not begin with a command."""
        commands: list[Command] = []
        continued = False
        for line in self.text.splitlines():
            if continued:
                commands[-1].line += "\n" + line
            elif line.startswith("$ "):
                commands.append(Command(line[2:]))
            elif commands:
                commands[-1].shown.append(line)
            else:
                raise ValueError(f"{self.place}: a console block begins with `$ `")
            continued = line.endswith("\\") and not commands[-1].shown
        return commands


def blocks(document: Path) -> list[Block]:
    """Those that name a language."""
    text = document.read_text()
    return [
        Block(document, text.count("\n", 0, m.start()) + 1, m[1], m[2] or "", m[3])
        for m in BLOCK.finditer(text)
    ]


def agrees(printed: str, shown: list[str]) -> bool:
    """Whether a command printed what the document shows."""
    lines = [line.strip() for line in shown if line.strip()]
    pattern = "".join(r"(?:.*\n)*" if line == "…" else f"{pattern_of(line)}\n" for line in lines)
    kept = [line.strip() for line in printed.splitlines() if line.strip()]
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in kept)) is not None


def pattern_of(line: str) -> str:
    """A pattern of all lines that differ from this one only in what varies."""
    pattern, end = "", 0
    for found in _varies.finditer(line):
        pattern += re.escape(line[end : found.start()]) + _patterns[(found.lastindex or 1) - 1]
        end = found.end()
    return pattern + re.escape(line[end:])
