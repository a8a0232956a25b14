"""The `lua-api` command: what scripts can use on this device."""

from typing import Annotated

import typer

from loki.cli.connection import fail
from loki.cli.option import Config
from loki.cli.view import say


def lua_api(
    luacats: Annotated[
        bool,
        typer.Option("--luacats", help="Print a definition file for editors (LuaCATS) instead."),
    ] = False,
    config: Config = None,
) -> None:
    """Show all that scripts can use: functions with parameters, types, units and permissions.

    The children of the settings tell what they offer. Editors complete and check calls with
    `loki lua-api --luacats > FILE.lua`, where FILE.lua lies in a folder of its own, outside the
    scripts, that the editor's Lua server has as a library.
    """
    from loki import bootstrap
    from loki.errors import LokiError
    from loki.lua import reference

    try:
        children = bootstrap.load(config, None).library.modules
    except LokiError as error:
        fail(error.message)
    say(reference.as_luacats(children) if luacats else reference.as_text(children), end="")
