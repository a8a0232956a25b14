"""The `check` command: everything that is wrong with tools and scripts, without running any."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import complain, fail
from loki.cli.option import AsJson, Config
from loki.cli.view import Json, printable, say, say_json

if TYPE_CHECKING:
    from loki.lua.check import Checked, Report
    from loki.lua.lint import Finding
    from loki.tool.problem import Problem

STDIN = Path("-")
WIDTH = 160
"""Characters of a source line that are shown."""


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE…",
            help="Scripts (.lua; - is stdin), folders of scripts, or tool files; without any, what "
            "`loki serve` would serve: a tool file, and scripts with a `--- loki:` header.",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check settings, tools and scripts without serving them; tells every problem at once.

    Lua is read, never run. Errors fail whenever a run gets there, and this command with exit code
    1; warnings are legal Lua that is hardly meant.
    """
    from loki.errors import LokiError

    try:
        checked = [_check(file, config) for file in _expanded(files or ())]
    except LokiError as error:
        fail(error.message)
    if as_json:
        say_json([line for one in checked for line in _json(one)])
    else:
        for one in checked:
            _show(one)
    errors, warnings = map(sum, zip(*map(_counts, checked), strict=True))
    if not as_json:
        _conclude(errors, warnings)
    raise typer.Exit(1 if errors else 0)


def _expanded(files: Sequence[Path]) -> Iterator[Path | None]:
    """Folders become the scripts in and below them.

    Raises: ConfigurationError for a folder without any.
    """
    from loki.errors import ConfigurationError

    for file in files:
        inside = sorted(file.rglob("*.lua")) if file.is_dir() else [file]
        if not inside:
            raise ConfigurationError(f"{file}: no script (.lua) in this folder or below it")
        yield from inside
    if not files:
        yield None


def _check(file: Path | None, config: Path | None) -> "Checked":
    """Raises: LokiError for settings or a file that cannot be read."""
    from loki import bootstrap
    from loki.cli.script import read_source

    if file is None or (file != STDIN and file.suffix != ".lua"):
        return bootstrap.check(bootstrap.load(config, file))
    source = sys.stdin.read() if file == STDIN else read_source(file)
    shown = Path("stdin") if file == STDIN else file
    return bootstrap.check_source(bootstrap.load(config, None), shown, source)


def _counts(checked: "Checked") -> tuple[int, int]:
    """Errors and warnings."""
    findings = [found for report in checked.reports for found in report.findings]
    errors = sum(found.severity.value == "error" for found in findings)
    return len(checked.problems) + errors, len(findings) - errors


def _conclude(errors: int, warnings: int) -> None:
    if errors:
        complain(_count(errors, "error") + (f", {_count(warnings, 'warning')}" if warnings else ""))
    elif warnings:
        typer.secho(_count(warnings, "warning"), fg="yellow", err=True)
    else:
        say("no problems")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _show(checked: "Checked") -> None:
    for problem in checked.problems:
        complain(str(problem))
    for report in checked.reports:
        for found in report.findings:
            _show_finding(report, found)


def _show_finding(report: "Report", found: "Finding") -> None:
    """As compilers do: place, message, the line, and a caret under the word."""
    colour = "red" if found.severity.value == "error" else "yellow"
    place = f"{_shown(report.file)}:{found.line}:{found.column}"
    line, caret = excerpt(report.text, found)
    typer.echo(
        f"{place}: " + typer.style(f"{found.severity.value}: {found.message}", fg=colour), err=True
    )
    typer.echo(printable(f"    {line}"), err=True)
    typer.secho(f"    {caret}", fg=colour, err=True)


def excerpt(text: str, found: "Finding") -> tuple[str, str]:
    """The line of a finding, cut where it is very long, and the carets to put below it."""
    lines = text.split("\n")
    line = lines[found.line - 1] if found.line <= len(lines) else ""
    begin = max(0, found.column - WIDTH // 2) if len(line) > WIDTH else 0
    shown = line[begin : begin + WIDTH]
    before = line[begin : found.column - 1]
    indent = "".join("\t" if character == "\t" else " " for character in before)
    width = max(1, min(found.end_column - found.column, WIDTH - len(before)))
    return shown.rstrip(), indent + "^" * width


def _json(checked: "Checked") -> Iterator[Json]:
    for problem in checked.problems:
        yield _problem_json(problem)
    for report in checked.reports:
        for found in report.findings:
            yield {
                "file": _shown(report.file),
                "line": found.line,
                "column": found.column,
                "end_column": found.end_column,
                "severity": found.severity.value,
                "rule": found.rule,
                "message": found.message,
            }


def _problem_json(problem: "Problem") -> Json:
    """A tool file's problem; it is about a whole line."""
    file, _, line = problem.where.rpartition(":")
    known = line.isdecimal()
    return {
        "file": file if known else problem.where,
        "line": int(line) if known else 1,
        "column": 1,
        "end_column": 1,
        "severity": "error",
        "rule": "tool-file",
        "message": problem.say(),
    }


def _shown(file: Path) -> str:
    """As people would name it here."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
