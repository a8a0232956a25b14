"""A line that changes in its place, and goes."""

import pytest

from loki.cli.progress import Count, Line


def test_what_was_longer_is_covered_and_cleared() -> None:
    written: list[str] = []
    line = Line(written.append)
    line.clear()
    for text in ("longer", "short", "short"):
        line.say(text)
    line.clear()
    line.clear()
    assert written == ["\rlonger", "\rshort ", "\r     \r"]


def test_a_count_is_told_now_and_then_and_at_its_end() -> None:
    written: list[str] = []
    count = Count(written.append)
    for done in range(1, 251):
        count.show("files", done, 250)
    count.show("files", 300)
    assert written == [
        "\rfiles: 100 of 250",
        "\rfiles: 200 of 250",
        "\rfiles: 250 of 250",
        "\rfiles: 300       ",
    ]


def test_without_a_terminal_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    line = Line()
    line.say("x")
    line.clear()
    assert capfd.readouterr() == ("", "")
