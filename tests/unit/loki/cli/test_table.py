"""Tables as terminals and pipes get them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from loki.cli.table import fitted, table, width_of

STYLES = {"up": "green"}


def shown(
    columns: tuple[str, ...], *rows: tuple[str, ...], width: int = 80, terminal: bool = False
) -> list[str]:
    """What is printed, as lines."""
    out = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=terminal,
        color_system="standard" if terminal else None,
    )
    out.print(table(columns, rows, STYLES, out), no_wrap=True, overflow="ignore", crop=False)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().split("\n")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert shown(("series", "rows", ""), ("a/b", "1", "up"), ("longer/日本", "12345", "")) == [
        "",
        " series        rows",
        " ────────────────────────",
        " a/b           1       up",
        " longer/日本   12345",
        "",
        "",
    ]


def test_cells_fold_where_the_terminal_is_narrow() -> None:
    assert shown(("name", "what"), ("abcdefgh", "some words"), ("x", "1\n2"), width=15)[1:-2] == [
        " name    what",
        " ─────────────",
        " abcde   some",
        " fgh     words",
        " x       1",
        "         2",
    ]


def test_tabs_take_their_room() -> None:
    assert shown(("a", "b"), ("x\ty", "z"))[3] == " x       y   z"


def test_a_table_without_rows_has_its_head() -> None:
    assert shown(("version", "since"))[1:3] == [" version   since", f" {'─' * 15}"]


def test_a_terminal_gets_styles() -> None:
    lines = shown(("name", "state"), ("hel", "up"), ("up!", "down"), terminal=True)
    assert lines[1] == " \x1b[1mname\x1b[0m   \x1b[1mstate\x1b[0m"
    assert lines[3:5] == [" hel    \x1b[32mup\x1b[0m", " up!    down"]


def test_words_that_look_like_markup_are_words() -> None:
    assert shown(("a",), ("[bold]x[/bold]",), terminal=True)[3] == " [bold]x[/bold]"


@pytest.mark.parametrize(
    ("wanted", "room", "widths"),
    [
        ([3, 5], 8, [3, 5]),
        ([3, 50], 10, [3, 7]),
        ([20, 20, 2], 12, [5, 5, 2]),
        ([9, 9], 1, [1, 1]),
        ([0, 9], -5, [0, 1]),
        ([10**9, 4], 10, [6, 4]),
    ],
)
def test_the_widest_columns_give_way(wanted: list[int], room: int, widths: list[int]) -> None:
    assert fitted(wanted, room) == widths


CELL = st.text(st.sampled_from("ab 日\n-"), max_size=40)


@given(st.lists(st.tuples(CELL, CELL), max_size=5), st.integers(10, 60))
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(
    rows: list[tuple[str, str]], width: int
) -> None:
    lines = shown(("a", "b"), *rows, width=width)
    assert max(map(cell_len, lines)) <= width
    given_text = "".join("".join(row) for row in rows)
    for letter in "ab日-":
        heads = 1 if letter in "ab" else 0
        assert "".join(lines).count(letter) == given_text.count(letter) + heads


@given(CELL)
def test_a_width_is_that_of_the_longest_line(cell: str) -> None:
    assert width_of(cell) == max(cell_len(line) for line in cell.split("\n"))
