"""Commands about time series: which there are, their rows, pictures and files, and their end."""

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli import series_file, series_plot
from loki.cli.backup import STDOUT, keep
from loki.cli.connection import connect, fail
from loki.cli.option import DEFAULT_SERVER, AsJson, Server
from loki.cli.period import Period, length, period
from loki.cli.restore import is_asked
from loki.cli.series_name import NameCommand, resolve
from loki.cli.view import Json, jsonable, note, say, say_json, show_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loki.client import (
        FollowReport,
        LokiClient,
        LokiClientError,
        Row,
        Series,
        SeriesQuery,
    )

FEW_ROWS = "20"
PATIENCE_S = 60.0
"""For rows of an export; reading changes nothing, so it may be repeated."""

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="SCRIPT/NAME, or NAME where only one script has it.")
]
Last = Annotated[
    str, typer.Option(metavar="N|TIME", help="The last so many rows, or of a time: 100, 24h, 7d.")
]
Start = Annotated[
    str,
    typer.Option(
        "--from", metavar="TIME", help="2026-01-31, '2026-01-31 18:00', 18:00, or 24h for ago."
    ),
]
End = Annotated[str, typer.Option("--to", metavar="TIME", help="The first time that is left out.")]
Every = Annotated[
    str, typer.Option(metavar="TIME", help="One number for each window of this length: 15min, 1h.")
]
Statistic = Annotated[
    str,
    typer.Option(metavar="NAME", help="mean, min, max, sum, count, first, last, or such as p95."),
]

Force = Annotated[bool, typer.Option("--force", help="Replace a FILE that is there.")]

app = typer.Typer(help="See, draw, export and remove the time series that scripts keep.")


@app.command("list", cls=NameCommand)
def list_(
    pattern: Annotated[
        str, typer.Argument(metavar="[GLOB]", help="Only series, or SCRIPT/NAME, that match.")
    ] = "*",
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List the time series of all scripts."""
    script, slash, name = pattern.rpartition("/")
    with connect(server, as_json=as_json) as client:
        found = list(client.series.find(script if slash else "*", name))
    if as_json:
        say_json([series_json(each) for each in found])
    elif found:
        show_table(("series", "rows", "unit", "first", "last", "files"), map(_row, found))
    else:
        say("no time series" if pattern == "*" else "no time series match")


@app.command(cls=NameCommand)
def show(
    name: Name,
    last: Last = "",
    start: Start = "",
    end: End = "",
    every: Every = "",
    statistic: Statistic = "mean",
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show rows of a time series, the last 20 unless told otherwise, or numbers of windows.

    Times are of this computer's zone; in JSON, one object a line, they are UTC.
    """
    with connect(server, timeout_s=None, as_json=as_json) as client:
        everything = not (last or start or end or every)
        wanted = _period(FEW_ROWS if everything else last, start, end)
        found = resolve(client, name)
        count = 0
        for count, row in enumerate(_rows(client, found, wanted, every, statistic), 1):
            if as_json:
                say_json(row_json(row))
                continue
            if count == 1:
                say(f"{'time':23}  {'value':>18}  {found.unit}".rstrip())
            say(row_line(row))
        if not count and not as_json:
            note("no rows there")


@app.command(cls=NameCommand)
def plot(
    name: Name,
    last: Last = "",
    start: Start = "",
    end: End = "",
    statistic: Statistic = "mean",
    output: Annotated[
        str, typer.Option(metavar="FILE.png", help="A picture in place of the terminal's.")
    ] = "",
    force: Force = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Draw a time series in the terminal, or as a picture with what it had between the means."""
    series_plot.check(output)
    keep(output or STDOUT, force=force)
    with connect(server, timeout_s=None) as client:
        found, wanted = resolve(client, name), _period(last, start, end)
        first = _first(client, found, wanted)
        ask = series_plot.asker(client, found, first, wanted.end) if first else None
        try:
            drawn = ask is not None and series_plot.draw(found, ask, statistic, output)
        except OSError as error:
            fail(f"{output}: {error.strerror}")
    if not drawn:
        note("no rows there")
    elif output:
        say(output)


@app.command(cls=NameCommand)
def export(
    name: Name,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="A .parquet file, or else CSV."),
    ] = STDOUT,
    last: Last = "",
    start: Start = "",
    end: End = "",
    force: Force = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write rows of a time series as CSV to stdout or a file, or as Parquet to a file.

    Times are UTC. A file is there wholly or not at all. Where Loki, or its part that keeps the
    rows, restarts meanwhile, this goes on behind the last row, for up to a minute each time.
    """
    series_file.format_of(output)
    keep(output, force=force)
    with connect(server, timeout_s=None) as client:
        found, wanted = resolve(client, name), _period(last, start, end)
        counter = series_file.Counter(wanted.rows or found.rows)
        reading = client.series.read(
            found.script, found.name, query(wanted), patience_s=PATIENCE_S, report=report()
        )
        with reading as batches:
            try:
                series_file.write(counter.count(batches), output, found)
            except BrokenPipeError:  # Whoever read it, such as head, has enough.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            except OSError as error:
                fail(f"{output}: {error.strerror}; nothing is left of it")
    if output != STDOUT:
        say(f"{output}: {counter.rows:,} rows")


@app.command(cls=NameCommand)
def remove(
    name: Name,
    script: Annotated[
        str, typer.Option(metavar="SCRIPT", help="The script that it belongs to.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Remove a time series for ever, with its rows and files.

    Series that were made of it stay. A row that its script appends later makes a new one.
    """
    if not yes and not is_asked():
        fail("there is no terminal to ask at; --yes removes without asking")
    with connect(server, timeout_s=None, as_json=as_json) as client:
        found = resolve(client, f"{script}/{name}" if script else name)
        if not yes:
            _ask(found)
        rows = client.series.remove(found.script, found.name)
    if as_json:
        say_json({"script": found.script, "name": found.name, "rows": rows})
    else:
        say(f"removed {found.script}/{found.name}: {rows:,} rows")


def _ask(series: "Series") -> None:
    """Ends the command where the answer is no."""
    what = f"{series.script}/{series.name} with its {series.rows:,} rows"
    if not typer.confirm(f"Remove {what} for ever?", err=True):
        fail("nothing was changed")


def report() -> "FollowReport":
    """Tells people, on stderr, why nothing comes for a while."""
    from loki.client import FollowReport

    class Report(FollowReport):
        def lost(self, error: "LokiClientError") -> None:
            note(f"{error.message}; going on when that is back")

        def back(self) -> None:
            note("it is back")

    return Report()


def query(wanted: Period) -> "SeriesQuery":
    from loki.client import SeriesQuery

    return SeriesQuery(
        start=wanted.start, end=wanted.end, limit=wanted.rows, newest=wanted.rows > 0
    )


def _period(last: str, start: str, end: str) -> Period:
    return period(last, start, end, datetime.now(UTC))


def _rows(
    client: "LokiClient", found: "Series", wanted: Period, every: str, statistic: str
) -> "Iterator[Row]":
    from loki.client import Row

    if every:
        windows = client.series.aggregate(
            found.script,
            found.name,
            statistic,
            start=wanted.start,
            end=wanted.end,
            every_s=length(every).total_seconds(),
        )
        shown = windows[-wanted.rows :]
        yield from (Row(window.start, window.value, 0) for window in shown)
        return
    with client.series.read(found.script, found.name, query(wanted)) as batches:
        for batch in batches:
            yield from batch


def _first(client: "LokiClient", found: "Series", wanted: Period) -> datetime | None:
    """Where the wanted time begins; None without rows."""
    if not wanted.rows:
        return wanted.start or found.first
    with client.series.read(found.script, found.name, query(wanted)) as batches:
        return next((row.time for batch in batches for row in batch), None)


def series_json(series: "Series") -> dict[str, Json]:
    """For machines."""
    return {
        "script": series.script,
        "name": series.name,
        "rows": series.rows,
        "first": series.first.isoformat() if series.first else None,
        "last": series.last.isoformat() if series.last else None,
        "size_bytes": series.size_bytes,
        "unit": series.unit,
        "attributes": jsonable(series.attributes),
    }


def row_json(row: "Row") -> dict[str, Json]:
    """For machines."""
    return {"time": row.time.isoformat(), "value": jsonable(row.value), "quality": row.quality}


def row_line(row: "Row") -> str:
    """For people, in columns."""
    quality = f"  quality {row.quality}" if row.quality else ""
    return f"{local(row.time)}  {row.value!r:>18}{quality}"


def local(time: datetime) -> str:
    """To the millisecond."""
    return time.astimezone().isoformat(" ", "milliseconds")[:23]


def _row(series: "Series") -> tuple[str, ...]:
    times = (local(time)[:19] if time else "" for time in (series.first, series.last))
    size = f"{series.size_bytes / 1e6:.1f} MB"
    return f"{series.script}/{series.name}", f"{series.rows:,}", series.unit, *times, size
