"""What `--help` of every command says is what its author wrote."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from loki.cli.app import app

BRACKETED = re.compile(r"\\?\[+[^\[\]\n]+\]+")
"""Such as [queue] or [[tools]], with the backslash that saves it from being taken for a colour."""


def commands(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield names, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, *names, name)


COMMANDS = dict(commands(typer.main.get_command(app)))


def written(command: Any) -> str:
    """All words of a command that `--help` is to show."""
    texts = [inspect.cleandoc(command.help or "")]
    for parameter in command.params:
        texts += [getattr(parameter, "help", None) or "", parameter.metavar or ""]
    return "\n".join(texts)


def letters(text: str) -> str:
    """Without what breaks lines and draws boxes."""
    return re.sub(r"[\s│]", "", text)


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_shows_flags_as_flags_and_loses_no_name_in_brackets(names: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0
    assert "<bool>" not in shown.output, "a flag takes no value"
    told = letters(shown.output)
    for name in BRACKETED.findall(written(COMMANDS[names])):
        assert letters(name.removeprefix("\\")) in told, f"escape it: \\{name}"


def test_some_have_such_names() -> None:
    assert any(BRACKETED.search(written(command)) for command in COMMANDS.values())
