"""Commands about the scripts that a server holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli import script as scripts
from loki.cli.connection import complain, connect, fail, report
from loki.cli.option import DEFAULT_SERVER, AsJson, Server
from loki.cli.view import Json, list_width, note, say, say_json, show_table

if TYPE_CHECKING:
    from loki.client import LokiClient, ScriptRevision
    from loki.tool.problem import Problem
    from loki.v1 import script_pb2

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a script.")]


def list_(
    pattern: Annotated[str, typer.Argument(metavar="GLOB", help="Only these names.")] = "*",
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List the scripts that the server offers."""
    with connect(server, as_json=as_json) as client:
        found = list(client.list_scripts(pattern))
    if as_json:
        say_json([scripts.capability_json(script) for script in found])
    elif found:
        show_table(
            ("name", "parameters", "returns", "description"),
            scripts.list_rows(found, list_width()),
        )
    else:
        say("no scripts" if pattern == "*" else f"no script's name matches {pattern}")


def describe(
    name: Name,
    revisions: Annotated[
        bool, typer.Option("--revisions", help="List what it was and is, the newest first.")
    ] = False,
    revision: Annotated[
        str, typer.Option(metavar="REVISION", help="Show it as it was in this revision.")
    ] = "",
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show one script: parameters, budgets, permissions, source; or its revisions."""
    with connect(server, as_json=as_json) as client:
        if revisions:
            _show_revisions(list(client.list_script_revisions(name)), as_json)
            return
        found = client.get_script(name, revision)
    if as_json:
        say_json(scripts.script_json(found))
    else:
        _show(found)


def _show_revisions(found: "list[ScriptRevision]", as_json: bool) -> None:
    if as_json:
        say_json([scripts.revision_json(each) for each in found])
        return
    show_table(("revision", "registered", "by", ""), map(scripts.revision_row, found))


def _show(script: "script_pb2.Script") -> None:
    definition = script.definition
    say(f"{definition.name}({scripts.signature(definition)})", end="")
    say(f" -> {scripts.type_name(definition.return_type)}")
    if definition.description:
        say(definition.description)
    if definition.parameters:
        plain = [scripts.parameter_json(parameter) for parameter in definition.parameters]
        show_table(
            ("parameter", "type", "range", "description"),
            ((str(p["name"]), str(p["type"]), _range(p), str(p["description"])) for p in plain),
        )
    allowed = scripts.permission_words(scripts.permissions_of(definition))
    limits = scripts.limit_words(scripts.limits_of(definition))
    if script.method:
        say(f"method       {script.method}")
    say(f"revision     {script.revision} ({scripts.origin_name(script.origin)})")
    say(f"limits       {limits}")
    if definition.idempotent:
        say("idempotent   yes: runs again, once, when its process dies")
    if definition.wait_for_child_ms:
        say(f"waits        up to {definition.wait_for_child_ms} ms for a child that is down")
    say(f"permissions  {allowed}")
    say(f"\n{definition.source.rstrip()}")


def _range(parameter: dict[str, Json]) -> str:
    low, high = parameter.get("minimum"), parameter.get("maximum")
    if low is None and high is None:
        return ""
    return f"{'' if low is None else low}..{'' if high is None else high}"


def register(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A tool file with [\\[tools]], or a .lua file.")
    ],
    name: Annotated[str, typer.Option(help="Of a .lua file; else its header's, or its own.")] = "",
    returns: Annotated[
        str, typer.Option(help="What a .lua file gives back; else what its header says, or void.")
    ] = "",
    update: Annotated[bool, typer.Option("--update", help="Replace what is there.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Register the scripts of a file with the server, with their sources."""
    definitions = _read(file, name, returns)
    if not as_json and (hint := scripts.undeclared(file, definitions[0])):
        note(hint)
    with connect(server, as_json=as_json) as client:
        failed = [d for d in definitions if not _register(client, d, update, server, as_json)]
    if failed:
        raise typer.Exit(1)


def _register(
    client: "LokiClient",
    definition: "script_pb2.ScriptDefinition",
    update: bool,
    server: str,
    as_json: bool,
) -> bool:
    """Whether the server took it; it says why not by itself."""
    from loki.client import LokiClientError

    try:
        revision = _present_revision(client, definition.name) if update else ""
        script = client.register_script(definition, expected_revision=revision)
    except LokiClientError as error:
        if error.reason == "SCRIPT_EXISTS" and "revision" in error.details and not update:
            error.message = f"script '{definition.name}' exists; --update replaces it"
        report(error, server, as_json)
        return False
    if as_json:
        say_json(scripts.script_json(script))
    else:
        verb = "updated" if revision else "registered"
        if revision == script.revision:
            verb = "unchanged:"
        say(f"{verb} {script.definition.name}, revision {script.revision}")
    return True


def _read(file: Path, name: str, returns: str) -> list["script_pb2.ScriptDefinition"]:
    from loki.errors import ConfigurationError

    try:
        if problems := _problems(file, name, returns):
            for problem in problems:
                complain(str(problem))
            raise typer.Exit(1)
        if file.suffix != ".lua":
            return scripts.read_definitions(file)
        return [scripts.read_definition(file, name, returns)]
    except (ConfigurationError, ValueError) as error:
        fail(f"{error}")


def _problems(file: Path, name: str, returns: str) -> list["Problem"]:
    """All that is wrong with the entries, but for what the command line says instead."""
    from loki import bootstrap

    found = bootstrap.check_upload(file)
    if file.suffix != ".lua":
        return list(found)
    given = {key for key, value in (("name", name), ("return_type", returns)) if value}
    return [p for p in found if p.key not in given and (p.key, p.value) != ("return_type", "")]


def _present_revision(client: "LokiClient", name: str) -> str:
    """ "" where there is none yet."""
    from loki.client import LokiClientError

    try:
        return client.get_script(name).revision
    except LokiClientError as error:
        if error.reason != "SCRIPT_NOT_FOUND":
            raise
        return ""


def rollback(
    name: Name,
    revision: Annotated[
        str,
        typer.Argument(metavar="REVISION", help="One that loki describe NAME --revisions lists."),
    ],
    expected: Annotated[
        str, typer.Option(metavar="REVISION", help="Refuse when this is not the current one.")
    ] = "",
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Make an earlier revision of a registered script the current one again.

    Also of a script that was removed. Executions under way finish on the revision they began with.
    """
    with connect(server, as_json=as_json) as client:
        present = _present_revision(client, name)
        script = client.rollback_script(name, revision, expected_revision=expected)
    if as_json:
        say_json(scripts.script_json(script))
    else:
        verb = "unchanged:" if present == script.revision else "rolled back"
        say(f"{verb} {script.definition.name}, revision {script.revision}")


def remove(name: Name, server: Server = DEFAULT_SERVER) -> None:
    """Remove a script; executions of it that are under way finish."""
    with connect(server) as client:
        client.unregister_script(name)
    say(f"removed {name}")
