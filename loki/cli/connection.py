"""A command's connection to its server, and one line for whatever goes wrong on it."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from loki.cli import handshake
from loki.cli.credential import files
from loki.cli.option import DEFAULT_SERVER
from loki.cli.view import Json, note, printable, say, usage_line

if TYPE_CHECKING:
    from loki.client import FollowReport, LokiClient, LokiClientError

ANSWER_TIMEOUT_S = 10.0
BROKEN = ("Socket closed", "Connection reset", "Broken pipe", "Stream removed", "GOAWAY")
"""What gRPC says of a connection that was there."""
LOOK = "; `loki executions` shows what became of an execution"
INTERRUPTED_EXIT_CODE = 128 + signal.SIGINT


@contextmanager
def connect(
    server: str, *, timeout_s: float | None = ANSWER_TIMEOUT_S, as_json: bool = False
) -> Iterator["LokiClient"]:
    """A client of `server`; what it raises ends the command with a line and exit code 1.

    Ctrl-C ends what the command waits for, an execution too, and the command with 130.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # Its log lines are not for people.
    from loki.client import LokiClient, LokiClientError

    if ":" not in server:
        fail(f"--server {server!r}: write HOST:PORT, such as {DEFAULT_SERVER}, or unix:PATH")
    try:
        shown = files().read()
        with LokiClient(server, timeout_s=timeout_s, credentials=shown, patience_s=0) as client:
            yield client
    except LokiClientError as error:
        report(error, server, as_json)
        raise typer.Exit(1) from None
    except ValueError as error:
        fail(f"ARGUMENT_INVALID: {error}")
    except KeyboardInterrupt:  # The connection is closed by now, which ends what it waited for.
        note("interrupted")
        raise typer.Exit(INTERRUPTED_EXIT_CODE) from None


def report(error: "LokiClientError", server: str, as_json: bool) -> None:
    """The error, the script's stack and usage to stderr; what it had printed to stdout."""
    if as_json:
        complain(json.dumps(error_json(error), ensure_ascii=False))
        return
    if error.output:
        say(error.output, end="" if error.output.endswith("\n") else "\n")
    complain(error_line(error, server))
    source_line = error.details.get("source_line", "")
    if source_line and source_line not in error.message:
        note(f"    {source_line}")
    if error.traceback:
        note(error.traceback.rstrip())
    if error.usage and error.usage.wall_ms:  # Else it never started.
        note(usage_line(error.usage))
        note(f"execution {error.execution_id}")


def error_line(error: "LokiClientError", server: str) -> str:
    """Such as "SCRIPT_NOT_FOUND: there is no script 'helo'; did you mean 'hello'?"."""
    if not error.reason and error.code_name == "UNAVAILABLE":
        if why := handshake.explain(error.message, server, files()):
            return why
        if any(sign in error.message for sign in BROKEN):
            return f"the connection to Loki at {server} broke{LOOK}"
        return (
            f"no Loki answers at {server}; start one with `loki serve`, "
            "or name another with --server HOST:PORT; one that restarts is back in a moment"
        )
    retry = "" if error.retry_after_s is None else f" (try again in {error.retry_after_s:g} s)"
    message = " ".join(error.message.split())
    fate = LOOK if error.reason == "CLIENT_DEADLINE" and not error.script_error else ""
    return f"{error.reason or error.code_name}: {message}{_place(error)}{fate}{retry}"


def _place(error: "LokiClientError") -> str:
    """The line of the script, unless the message has it already."""
    line = error.script_error.line if error.script_error else 0
    return f" (line {line})" if line and str(line) not in error.message else ""


def error_json(error: "LokiClientError") -> Json:
    """The error for machines."""
    known: dict[str, Json] = {
        "code": error.code_name,
        "reason": error.reason,
        "message": error.message,
        "details": error.details,
    }
    if error.retry_after_s is not None:
        known["retry_after_s"] = error.retry_after_s
    if error.script_error:
        known["execution_id"] = error.execution_id
        known["cause"] = error.script_error.cause
        known["line"] = error.script_error.line
        known["traceback"] = error.traceback
        known["output"] = error.output
    return {"error": known}


def follow_report(server: str) -> "FollowReport":
    """Tells people, on stderr, how the connection of a command fares that follows something."""
    from loki.client import FollowReport

    class Report(FollowReport):
        def lost(self, error: "LokiClientError") -> None:
            note(f"the connection to {server} is lost ({error.message}); trying again")

        def back(self) -> None:
            note(f"{server} is back")

        def missed(self, events: int) -> None:
            note(f"{events or 'some'} events are missing here")

    return Report()


def complain(text: str) -> None:
    """One line to stderr."""
    line = printable(text) if sys.stderr.isatty() else text
    typer.secho(line, fg="red", err=True)


def fail(text: str) -> NoReturn:
    """End the command with one line on stderr and exit code 1."""
    complain(text)
    raise typer.Exit(1)
