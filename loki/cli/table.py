"""Tables for people: rows as lines, with columns that fold where a terminal is narrower."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GAP = 3  # Between columns.
EDGE = 1  # On each side.


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str], out: "Console"
) -> "Text":
    """As wide as `out` at most; `styles` are of whole cells.

    All in one text: Rich's own table takes half a millisecond for each row.
    """
    from rich.text import Text

    cells = [[cell.expandtabs() for cell in row] for row in rows]
    wanted = [max(map(width_of, column)) for column in zip(columns, *cells, strict=True)]
    widths = fitted(wanted, out.width - 2 * EDGE - GAP * (len(columns) - 1))
    text = Text("\n")
    for line in _lines(columns, widths, out):
        _append(text, line, widths, ["bold"] * len(columns))
    text.append(f"{' ' * EDGE}{'─' * (sum(widths) + GAP * (len(columns) - 1))}\n")
    for row in cells:
        for line in _lines(row, widths, out):
            _append(text, line, widths, [styles.get(cell, "") for cell in row])
    return text


def fitted(wanted: Sequence[int], room: int) -> list[int]:
    """Widths of columns that have `room` together, or 1 each: the widest give way."""
    widths = [min(width, max(room, 1)) for width in wanted]
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    return widths


def width_of(cell: str) -> int:
    """In columns of a terminal, of its longest line."""
    from rich.cells import cell_len

    return max(map(cell_len, cell.split("\n")))


def _lines(row: Sequence[str], widths: Sequence[int], out: "Console") -> Iterator[tuple[str, ...]]:
    """What a row is: one line, unless cells fold."""
    folded = [_folded(*each, out) for each in zip(row, widths, strict=True)]
    return zip_longest(*folded, fillvalue="")


def _folded(cell: str, width: int, out: "Console") -> list[str]:
    if "\n" not in cell and width_of(cell) <= width:
        return [cell]
    from rich.text import Text

    return [line.plain.rstrip() for line in Text(cell).wrap(out, width, overflow="fold")]


def _append(
    text: "Text", line: Sequence[str], widths: Sequence[int], styles: Sequence[str]
) -> None:
    """Spaces come before what follows them, so that no line ends with some."""
    blanks = EDGE
    for cell, width, style in zip(line, widths, styles, strict=True):
        if cell:
            text.append(" " * blanks).append(cell, style)
            blanks = 0
        blanks += width - width_of(cell) + GAP
    text.append("\n")
