"""The command of the device itself: serve."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import fail
from loki.cli.option import DEFAULT_SERVER, AsJson, Config, number
from loki.cli.view import Json, say, say_json

if TYPE_CHECKING:
    from loki.bootstrap import Running

port_of = number(int, 0, 65535)
PORTS = "0..65535"
VARIABLES = {"--port": "LOKI_GRPC_PORT", "--http-port": "LOKI_HTTP__PORT"}
ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104  # Compared with, not bound.


def serve(
    config: Config = None,
    tools: Annotated[
        Path | None, typer.Option("--tools", metavar="PATH", help="The tool file to serve.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", parser=port_of, metavar=PORTS, help="0 takes any free one."),
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(
            "--http-port", parser=port_of, metavar=PORTS, help="Serve HTTP and JSON too; 0 is any."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    r"""Serve scripts until Ctrl-C or SIGTERM; a second Ctrl-C does not wait for what still runs.

    Calls that are under way then have drain_s of \[grpc] to end, 5 s by default.

    Tool files and scripts that change meanwhile are read again, and live within a second.

    A system that dies is started again, three times in a minute; then the exit code is 70.

    Each setting may come from the environment, such as LOKI_QUEUE__MAX_LENGTH=50 for max_length of
    \[queue]; docs/reference/settings.md lists all.
    """
    from loki.actors import early  # noqa: F401, I001  # Before all that is not for actors.
    from loki import bootstrap
    from loki.errors import LokiError

    options = _into_environment({"--port": port, "--http-port": http_port})
    try:
        setup = bootstrap.load(config, tools, options)
        code = bootstrap.serve(setup, _announce_json if as_json else _announce)
    except LokiError as error:
        fail(error.message)
    raise typer.Exit(code)


def _into_environment(given: Mapping[str, int | None]) -> dict[str, str]:
    """Each option that is given sets its variable, as it wins over the file; which ones do so."""
    options = {}
    for option, value in given.items():
        if value is not None:
            os.environ[VARIABLES[option]] = str(value)
            options[VARIABLES[option]] = option
    return options


def _announce_json(running: "Running") -> None:
    served: dict[str, Json] = {
        "address": running.address,
        "pid": os.getpid(),
        "tools": list(running.tools),
    }
    say_json({**served, "http": running.http} if running.http else served)


def _announce(running: "Running") -> None:
    say(f"Loki serves at {running.address} (Ctrl-C stops it)")
    if running.http:
        say(f"  HTTP      {running.http}")
    say(f"  state     {running.state_dir}")
    say(f"  children  {', '.join(running.children) or 'none'}")
    say(f"  tools     {', '.join(running.tools) or 'none'}")
    for problem in running.problems:
        say(f"  problem   {problem}")
    say("Try in another terminal:")
    for command in suggestions(running.tools, running.address, running.options):
        say(f"  {command}")


def suggestions(tools: tuple[str, ...], address: str, options: str = "") -> list[str]:
    """Three commands that work with the tools that are served."""
    there = [
        ("hello", "{loki} call hello name=Ada"),
        ("countdown", "{loki} call countdown --stream"),
    ]
    commands = [command for tool, command in there if tool in tools]
    if len(commands) < len(there) and tools:
        commands.append(f"{{loki}} describe {tools[0]}")
    option = _server_option(address) + options
    commands += ["{loki} list", "{loki} status", "echo 'return 6 * 7' | {loki} run -"]
    return [command.format(loki=program()) + option for command in commands[:3]]


def program() -> str:
    """How this program was called, where the shell would not find it as `loki`."""
    called = Path(sys.argv[0])
    found = shutil.which("loki")
    if called.name != "loki" or (found and Path(found).resolve() == called.resolve()):
        return "loki"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)


def _server_option(address: str) -> str:
    if address == DEFAULT_SERVER:
        return ""
    if address.startswith("unix:"):
        return f" --server {shlex.quote(address)}"
    host, _, port = address.rpartition(":")
    return f" --server {'127.0.0.1' if host in ANYWHERE else host}:{port}"
