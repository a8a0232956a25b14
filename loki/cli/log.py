"""The command that shows what a server has logged."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import ANSWER_TIMEOUT_S, connect, follow_report
from loki.cli.option import (
    DEFAULT_SERVER,
    AsJson,
    Server,
    completion_of,
    metavar_of,
    number,
    one_of,
)
from loki.cli.view import Json, note, printable, say, say_json

if TYPE_CHECKING:
    from loki.client import LogRecord


class Level(StrEnum):
    """How bad it is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with what is logged, until Ctrl-C.")
]
Least = Annotated[
    Level,
    typer.Option(
        "--level",
        parser=one_of(Level),
        metavar=metavar_of(Level),
        autocompletion=completion_of(Level),
        help="Only what is as bad as this, or worse.",
    ),
]
Actor = Annotated[str, typer.Option("--actor", metavar="NAME", help="Only this part of Loki.")]
Execution = Annotated[str, typer.Option("--execution", metavar="ID", help="Only this execution.")]
Incident = Annotated[
    str, typer.Option("--incident", metavar="ID", help="Only this bug, as an error named it.")
]
Lines = Annotated[
    int,
    typer.Option(
        "--lines",
        "-n",
        parser=number(int, 0, 2000),
        metavar="N",
        help="Begin with so many of the newest.",
    ),
]


def logs(
    follow: Follow = False,
    level: Least = Level.DEBUG,
    actor: Actor = "",
    execution: Execution = "",
    incident: Incident = "",
    lines: Lines = 20,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show what a server has logged: warnings and worse, unless logging.level is set lower."""
    from loki.client import LogQuery

    query = LogQuery(
        level=level.value,
        actor=actor,
        execution_id=execution,
        incident_id=incident,
        lines=lines,
    )
    timeout_s = None if follow else ANSWER_TIMEOUT_S
    with connect(server, timeout_s=timeout_s, as_json=as_json) as client:
        if not follow:
            found = False
            for record in client.watch_logs(query):
                found = True
                _show(record, as_json)
            if not found and lines:
                note("nothing logged")
            return
        try:
            for record in client.follow_logs(query, report=follow_report(server)):
                _show(record, as_json)
        except KeyboardInterrupt:  # The way to end this.
            return


def _show(record: "LogRecord", as_json: bool) -> None:
    if as_json:
        say_json(record_json(record))
    else:
        say(record_line(record))


def record_line(record: "LogRecord") -> str:
    """For people; further lines are indented, so that none passes for another record."""
    time = record.time.astimezone().isoformat(" ", "milliseconds")[:23]
    first, *more = printable(record.message).splitlines() or [""]
    head = f"{time} {record.level.upper():8} {record.actor}[{record.pid}] {first}"
    return "\n    ".join((head, *more))


def record_json(record: "LogRecord") -> dict[str, Json]:
    """Without the ids that it has not got."""
    known: dict[str, Json] = {
        "time": record.time.isoformat(),
        "level": record.level,
        "actor": record.actor,
        "pid": record.pid,
    }
    ids = {
        "execution_id": record.execution_id,
        "trace_id": record.trace_id,
        "incident_id": record.incident_id,
    }
    return {**known, **{name: id_ for name, id_ in ids.items() if id_}, "message": record.message}
