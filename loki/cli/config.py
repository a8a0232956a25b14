"""Commands about the settings of a server: what they are, and what they were."""

import json
from dataclasses import asdict
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import complain, connect, fail
from loki.cli.option import DEFAULT_SERVER, AsJson, Server, number
from loki.cli.view import Json, note, say, say_json, show_table

if TYPE_CHECKING:
    from loki.client.settings import Setting, Settings

app = typer.Typer(help="See the settings of a server, and where each comes from.")


@app.command()
def show(
    pattern: Annotated[
        str, typer.Argument(metavar="[GLOB]", help="Only keys that match, such as 'queue.*'.")
    ] = "*",
    sources: Annotated[
        bool, typer.Option("--sources", help="Tell what sets each key, and when a change holds.")
    ] = False,
    version: Annotated[
        int | None,
        typer.Option("--version", parser=number(int, 1), metavar="N", help="An earlier version."),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show the settings of a server; what waits for its next start is marked.

    Secrets are hidden. What the children have that nothing sets is in docs/reference/settings.md.
    """
    with connect(server, as_json=as_json) as client:
        found = client.settings.get(version or 0)
    chosen = [each for each in found.settings if matches(each.key, pattern)]
    if not chosen and pattern != "*":
        fail(f"no setting matches '{pattern}'; `loki config show` lists those that there are")
    if as_json:
        say_json(settings_json(found, chosen))
    else:
        _show(found, chosen, sources=sources and not version)


def matches(key: str, pattern: str) -> bool:
    """Whether it is that key, is in that table, or matches that glob."""
    return fnmatchcase(key, pattern) or key.startswith(f"{pattern}.")


def settings_json(found: "Settings", chosen: "list[Setting]") -> dict[str, Json]:
    """For machines."""
    return {
        "version": found.version,
        "time": found.time.isoformat() if found.time else None,
        "file": found.file,
        "problem": found.problem,
        "settings": [asdict(each) for each in chosen],
    }


def _show(found: "Settings", chosen: "list[Setting]", *, sources: bool) -> None:
    columns, rows = ["setting", "value"], [[each.key, text(each.value)] for each in chosen]
    if sources:
        columns += ["set by", "a change holds"]
        for row, each in zip(rows, chosen, strict=True):
            row += [each.origin or each.source, each.effect.replace("_", " ")]
    if any(each.waits for each in chosen):
        columns.append("until the restart")
        for row, each in zip(rows, chosen, strict=True):
            row.append(text(each.running) if each.waits else "")
    show_table(columns, rows)
    note(f"version {found.version}{f', {found.file}' if found.file else ''}")
    if found.problem:
        complain(f"the file is not used as it is now: {found.problem}")


def text(value: object) -> str:
    """As TOML has it; what is not there is empty."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


@app.command()
def versions(server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List the versions of the settings that the server has run with, the newest first."""
    with connect(server, as_json=as_json) as client:
        found = client.settings.versions()
    if as_json:
        say_json([{"version": each.version, "time": each.time.isoformat()} for each in found])
    elif found:
        show_table(("version", "since"), ([str(each.version), local(each.time)] for each in found))
    else:
        say("no versions are kept yet")


def local(time: datetime) -> str:
    """In this computer's zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
