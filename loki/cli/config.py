"""Commands about the settings of a server: what they are, what they were, and changes of them."""

import json
import tomllib
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

app = typer.Typer(help="See the settings of a server, where each comes from, and change them.")


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

    Secrets are hidden.
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


Key = Annotated[str, typer.Argument(metavar="KEY", help="As in TOML, such as queue.max_length.")]
Expect = Annotated[
    int | None,
    typer.Option(
        "--expect",
        parser=number(int, 1),
        metavar="VERSION",
        help="Only if the settings are of this version still.",
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Tell what would change; change nothing.")]


@app.command("set")
def set_(
    key: Key,
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="As in TOML; what is none there is text.")
    ],
    expect: Expect = None,
    check: Check = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Change one key in the settings' file of a server; its comments stay.

    The file is replaced at once, and not at all where anything is wrong with it then.
    """
    _update({key: value_of(value)}, (), expect, check, server, as_json)


@app.command()
def unset(
    key: Key,
    expect: Expect = None,
    check: Check = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Take one key, or a table, out of the settings' file of a server: its default holds again."""
    _update({}, (key,), expect, check, server, as_json)


def value_of(text: str) -> object:
    """As TOML reads it, where JSON has such a value; else the text itself."""
    try:
        found = tomllib.loads(f"value = {text}")
        json.dumps(found, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return text
    return found["value"] if len(found) == 1 else text


def _update(
    values: dict[str, object],
    remove: tuple[str, ...],
    expect: int | None,
    check: bool,
    server: str,
    as_json: bool,
) -> None:
    with connect(server, as_json=as_json) as client:
        done = client.settings.update(
            values, remove=remove, expected_version=expect or 0, validate_only=check
        )
    if as_json:
        say_json({"version": done.version, "changed": [asdict(each) for each in done.changed]})
        return
    for each in done.changed:
        say(f"{each.key} = {text(each.value) or 'not set'}, {holds(each, check=check)}")
    if not done.changed:
        say("nothing changes")
    note(f"version {done.version}")


def holds(setting: "Setting", *, check: bool) -> str:
    """When a change does, for people."""
    verb = "would hold" if check else "holds"
    when = {"now": "at once", "next_run": "for executions that begin from now on"}
    return f"{verb} {when.get(setting.effect, 'after a restart of `loki serve`')}"


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
