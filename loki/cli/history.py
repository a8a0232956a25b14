"""Commands about executions: which there were, how one fared, and ending one."""

from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import complain, connect, fail
from loki.cli.execution import show_output
from loki.cli.option import DEFAULT_SERVER, AsJson, Server, number
from loki.cli.view import Json, jsonable, note, say, say_json, show_table, text_of, usage_line

if TYPE_CHECKING:
    from loki.client import ExecutionRecord

FEW = 20
Id = Annotated[str, typer.Argument(metavar="ID", help="Of an execution.")]


def executions(
    execution: Annotated[
        str, typer.Argument(metavar="[ID]", help="Show this execution in full.")
    ] = "",
    script: Annotated[
        str, typer.Option(metavar="GLOB", help="Only executions of these scripts.")
    ] = "*",
    state: Annotated[
        str, typer.Option(metavar="STATE", help="Only queued, running, finished or failed ones.")
    ] = "",
    most: Annotated[
        int, typer.Option("--most", parser=number(int, 1), metavar="N", help="At most so many.")
    ] = FEW,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """List executions, the newest first, or show one with its result."""
    with connect(server, as_json=as_json) as client:
        if execution:
            _show(client.get_execution(execution), as_json)
            return
        found = list(islice(client.list_executions(script, state), most + 1))
    if as_json:
        say_json([record_json(record) for record in found[:most]])
    elif found:
        show_table(
            ("execution", "script", "state", "submitted", "took", "tries"),
            (_row(record) for record in found[:most]),
        )
        if len(found) > most:
            note(f"there are more; --most {most * 10} shows them")
    else:
        say("no executions" if script == "*" and not state else "no executions match")


def cancel(execution: Id, server: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """End an execution; its caller is told that it was cancelled."""
    from loki.client import LokiClientError

    with connect(server, as_json=as_json) as client:
        try:
            client.cancel(execution)
        except LokiClientError as error:
            if as_json or "cause" not in error.details:
                raise
            fail(f"{error.message}: there is nothing to cancel")
    if as_json:
        say_json({"cancelled": execution})
    else:
        say(f"cancelled {execution}")


def _row(record: "ExecutionRecord") -> tuple[str, ...]:
    wall_ms = record.usage.wall_ms if record.usage and record.started else 0.0
    took = f"{wall_ms:.1f} ms" if wall_ms else ""
    when = _local(record.submitted)
    return record.id, record.script, state_of(record), when, took, str(record.attempts)


def state_of(record: "ExecutionRecord") -> str:
    """Such as "running", or "failed (time)"."""
    return f"failed ({record.cause})" if record.state == "failed" else record.state


def _local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _show(record: "ExecutionRecord", as_json: bool) -> None:
    if as_json:
        say_json(record_json(record))
        return
    revision = f", revision {record.revision}" if record.revision else ""
    say(f"execution  {record.id}")
    say(f"script     {record.script}{revision}")
    say(f"state      {state_of(record)}")
    say(f"submitted  {_local(record.submitted)} by {record.principal}")
    if record.started is not None:
        tries = f", try {record.attempts}" if record.attempts > 1 else ""
        say(f"started    {_local(record.started)} in process {record.runner_pid}{tries}")
    if record.ended is not None:
        say(f"ended      {_local(record.ended)}")
    _show_end(record)


def _show_end(record: "ExecutionRecord") -> None:
    """As its caller saw it."""
    show_output(record.output)
    if record.value is not None:
        say(text_of(record.value))
    if record.result_dropped:
        note("(value and output are not kept: too long, or too old)")
    if record.failure is not None:
        complain(f"{record.failure.reason}: {' '.join(record.failure.message.split())}")
        if record.failure.traceback:
            note(record.failure.traceback.rstrip())
    if record.usage is not None and record.usage.wall_ms:
        note(usage_line(record.usage))


def record_json(record: "ExecutionRecord") -> dict[str, Json]:
    """One execution for machines."""
    failure = record.failure
    return {
        "execution_id": record.id,
        "script": record.script,
        "revision": record.revision,
        "principal": record.principal,
        "state": record.state,
        "cause": record.cause,
        "submitted": record.submitted.isoformat(),
        "started": record.started.isoformat() if record.started else None,
        "ended": record.ended.isoformat() if record.ended else None,
        "attempts": record.attempts,
        "runner_pid": record.runner_pid,
        "failure": {
            "reason": failure.reason,
            "message": failure.message,
            "line": failure.line,
            "traceback": failure.traceback,
        }
        if failure
        else None,
        "value": jsonable(record.value),
        "output": record.output,
        "output_truncated": record.output_truncated,
        "result_dropped": record.result_dropped,
        "usage": jsonable(asdict(record.usage)) if record.usage else None,
    }
