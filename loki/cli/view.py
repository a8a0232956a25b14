"""Values, usage and scripts as lines for people and as JSON for machines."""

import base64
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import typer

from loki.cli.argument import BASE64
from loki.cli.table import table

if TYPE_CHECKING:
    from rich.console import Console

    from loki.client import Usage
    from loki.v1_value import Value

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

PIPE_WIDTH = 1000
LIST_WIDTH = 100
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
"""What a terminal would obey; a script may print anything."""
KEPT = {ord("\n"), ord("\t")}
STYLES = {
    "up": "green",
    "degraded": "yellow",
    "restarting": "yellow",
    "down": "red",
    "active": "green",
    "missing": "yellow",
}


def text_of(value: "Value") -> str:
    """A script's value as people read it: scalars plain, the rest as indented JSON, null empty."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | dict() | list():
            return json.dumps(jsonable(value), indent=2, ensure_ascii=False)
        case _:
            return str(jsonable(value))


def jsonable(value: "Value") -> Json:
    """Bytes become "base64:...", and numbers that JSON lacks their names, as in protobuf's JSON."""
    match value:
        case bytes() | bytearray() | memoryview():
            return BASE64 + base64.b64encode(value).decode()
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            # Protobuf keeps no order of its own: sorted, the same answer looks the same every time.
            return {key: jsonable(item) for key, item in sorted(value.items())}
        case _:
            return [jsonable(item) for item in value]


def usage_line(usage: "Usage") -> str:
    """What an execution used, in one line."""
    parts = [
        f"{usage.wall_ms:.1f} ms wall",
        f"{usage.cpu_ms:.1f} ms CPU",
        f"{usage.peak_memory_bytes / 1024:.0f} KiB memory",
    ]
    if usage.overshoot_ms:
        parts.append(f"{usage.overshoot_ms:.1f} ms over the budget")
    elif usage.warnings:
        parts.append(f"near {', '.join(usage.warnings)}")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Rounded to the two largest units: "3 d 4 h", "2 min 5 s"."""
    whole = round(seconds)
    for unit_s, unit, part_s, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= unit_s:
            return f"{whole // unit_s} {unit} {whole % unit_s // part_s} {part}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def printable(text: str, *, terminal: bool = True) -> str:
    """Without what a terminal would obey, except line ends and tabs."""
    if not terminal:
        return text
    return text.translate({code: shown for code, shown in CONTROLS.items() if code not in KEPT})


def say(text: str, *, end: str = "\n") -> None:
    """To stdout: a terminal gets no control characters, a pipe gets every character."""
    typer.echo(printable(text, terminal=sys.stdout.isatty()) + end, nl=False)


def say_json(value: Json) -> None:
    """One line of JSON to stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def note(text: str) -> None:
    """One dim line for people, to stderr."""
    typer.secho(printable(text), dim=True, err=True)


def show_table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout, as wide as the terminal; in a pipe each row is one line."""
    shown = [[printable(cell) for cell in row] for row in rows]
    out = console()
    text = table(tuple(columns), shown, STYLES, out)
    out.print(text, no_wrap=True, overflow="ignore", crop=False)


def list_width() -> int:
    """Columns of a table that is cut to fit: those of a wide terminal, or LIST_WIDTH."""
    return max(LIST_WIDTH, console().width) if sys.stdout.isatty() else LIST_WIDTH


def console() -> "Console":
    """For stdout."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
