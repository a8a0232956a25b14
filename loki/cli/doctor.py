"""The command that looks after a device's data."""

import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from loki.cli.connection import complain
from loki.cli.option import AsJson, Config
from loki.cli.view import Json, say, say_json

if TYPE_CHECKING:
    from loki.child import Finding

COULD_NOT_LOOK = 2
WIDTH = 78


def doctor(
    config: Config = None,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read every row, index and chunk of a series; takes longer."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how the data of this device fare, whether a Loki runs or not; nothing is changed.

    Each line begins with "ok", "hint" (nothing is wrong, but you may want to do something), "mends"
    (Loki puts it right by itself) or "look" (a person has to). The exit code is 0 where all is
    well, 1 where anything mends or wants a look, 2 where it cannot be looked at.
    """
    from loki import bootstrap
    from loki.core.state_folder import worst
    from loki.errors import LokiError

    try:
        found = bootstrap.examine(bootstrap.load(config, None), tell, deep=deep)
    except LokiError as error:
        _give_up(error.message)
    except OSError as error:
        _give_up(f"{error.filename or 'the state directory'}: {error.strerror}")
    tell("")
    for each in found:
        if as_json:
            say_json(_json(each))
        else:
            say(line(each))
    raise typer.Exit(worst(found))


def tell(text: str) -> None:
    """How far it is, on a terminal's stderr; "" removes that."""
    if sys.stderr.isatty():
        typer.echo(f"\r{text:<{WIDTH}.{WIDTH}}\r{text:.{WIDTH}}", nl=False, err=True)


def _give_up(text: str) -> NoReturn:
    complain(text)
    raise typer.Exit(COULD_NOT_LOOK)


def line(found: "Finding") -> str:
    """For people, such as "mends  files/.unfinished: 2 unfinished files -> they go"."""
    remedy = f" -> {found.remedy}" if found.remedy else ""
    return f"{found.need.value:<6} {found.subject}: {found.text}{remedy}"


def _json(found: "Finding") -> Json:
    return {
        "need": found.need.value,
        "subject": found.subject,
        "text": found.text,
        "remedy": found.remedy,
    }
