"""Options that many commands share."""

import math
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

DEFAULT_SERVER = "127.0.0.1:50070"

Chosen = TypeVar("Chosen", bound=StrEnum)
Amount = TypeVar("Amount", int, float)


def one_of(choices: type[Chosen]) -> Callable[[str], Chosen]:
    """A parser for an option that is one of these words, and says so in ours."""

    def parse(word: str) -> Chosen:
        try:
            return choices(word)
        except ValueError:
            known = ", ".join(f"'{choice}'" for choice in choices)
            raise typer.BadParameter(f"{word!r} is not one of {known}.") from None

    return parse


def number(
    read: Callable[[str], Amount], least: Amount, most: Amount | None = None
) -> Callable[[str], Amount]:
    """A parser for an option that is a number (`read` is int or float) from `least` to `most`."""
    kind = "a whole number" if read is int else "a number"
    span = f"of {least} or more" if most is None else f"from {least} to {most}"

    def parse(word: str) -> Amount:
        try:
            found = read(word)
        except ValueError:
            found = least - 1
        if least <= found <= (found if most is None else most) and math.isfinite(found):
            return found
        raise typer.BadParameter(f"{word!r} is not {kind} {span}.")

    return parse


def completion_of(choices: type[StrEnum]) -> Callable[[str], list[str]]:
    """What the shell may put behind what was typed."""
    return lambda incomplete: [word for word in choices if word.startswith(incomplete)]


def metavar_of(choices: type[StrEnum]) -> str:
    """How help shows these words."""
    return f"<{'|'.join(choices)}>"


Server = Annotated[
    str,
    typer.Option(
        "--server",
        envvar="LOKI_SERVER",
        metavar="HOST:PORT",
        help="The Loki to talk to; or unix:PATH.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Settings; without it loki.toml in the current folder, else the defaults.",
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Arguments: key=5, key=text, key=base64:AAE=, key='[1, 2]', key=@file (@@ is an @).",
    ),
]
Stream = Annotated[bool, typer.Option("--stream", help="Show events while the script runs.")]
TimeoutS = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        parser=number(float, 0.001),
        metavar="S",
        help="Give up after this many seconds.",
    ),
]
