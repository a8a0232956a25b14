"""Options that are one of a few words."""

from enum import StrEnum

import pytest
import typer

from loki.cli.option import completion_of, metavar_of, one_of


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
