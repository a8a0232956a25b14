"""Options that are one of a few words, or numbers."""

from enum import StrEnum

import pytest
import typer

from loki.cli.option import completion_of, metavar_of, number, one_of


class Colour(StrEnum):
    RED = "red"
    ROSE = "rose"
    BLUE = "blue"


def test_a_word_is_its_choice_and_a_choice_itself() -> None:
    parse = one_of(Colour)
    assert (parse("red"), parse(Colour.BLUE)) == (Colour.RED, Colour.BLUE)


@pytest.mark.parametrize("word", ["", "RED", "re", "red rose"])
def test_any_other_word_is_refused_with_those_there_are(word: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        one_of(Colour)(word)
    assert refused.value.message == f"{word!r} is not one of 'red', 'rose', 'blue'."


@pytest.mark.parametrize(
    ("begun", "words"), [("", ["red", "rose", "blue"]), ("r", ["red", "rose"]), ("x", [])]
)
def test_the_shell_completes_what_was_begun(begun: str, words: list[str]) -> None:
    assert completion_of(Colour)(begun) == words


def test_help_shows_the_words() -> None:
    assert metavar_of(Colour) == "<red|rose|blue>"


@pytest.mark.parametrize("word", ["0", "5", "65535"])
def test_a_number_within_its_bounds_is_itself(word: str) -> None:
    assert number(int, 0, 65535)(word) == int(word)


@pytest.mark.parametrize("word", ["x", "", "-1", "65536", "1.5", "9" * 5000])
def test_any_other_number_is_refused_with_what_is_allowed(word: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        number(int, 0, 65535)(word)
    assert refused.value.message == f"{word!r} is not a whole number from 0 to 65535."


@pytest.mark.parametrize("word", ["x", "0", "nan", "inf"])
def test_a_number_without_a_top_is_finite(word: str) -> None:
    assert number(float, 0.001)("1e9") == 1e9
    with pytest.raises(typer.BadParameter) as refused:
        number(float, 0.001)(word)
    assert refused.value.message == f"{word!r} is not a number of 0.001 or more."
