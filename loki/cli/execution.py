"""Commands that run a script: one that the server holds, or one of a file."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.argument import Argument, read_arguments
from loki.cli.connection import connect, fail
from loki.cli.option import DEFAULT_SERVER, AsJson, Pairs, Server, Stream, TimeoutS
from loki.cli.script import declared_types, read_source, types_of
from loki.cli.view import Json, jsonable, note, say, say_json, text_of, usage_line

if TYPE_CHECKING:
    from loki.client import Event, Execution, LokiClient

STDIN = Path("-")


def call(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a script.")],
    pairs: Pairs = None,
    stream: Stream = False,
    timeout_s: TimeoutS = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Run a script that the server holds, and print what it returns."""
    with connect(server, timeout_s=None, as_json=as_json) as client:
        types = types_of(client.get_script(name).definition) if pairs else {}
        arguments = read_arguments(pairs or (), types)
        if stream:
            _show_events(client, name, arguments, timeout_s=timeout_s, as_json=as_json)
        else:
            _show_execution(client.execute(name, arguments, timeout_s=timeout_s), as_json)


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.lua", help="A script; - is stdin.")],
    pairs: Pairs = None,
    stream: Stream = False,
    timeout_s: TimeoutS = None,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Run a file once, without registering it, and print what it returns.

    The parameters, limits and result that its `--- loki:` header declares hold. What it may do is
    what the server allows to all such scripts, whatever the header says.
    """
    source = Source(_read_source(file), "stdin" if file == STDIN else str(file))
    with connect(server, timeout_s=None, as_json=as_json) as client:
        arguments = read_arguments(pairs or (), _types(source) if pairs else {})
        if stream:
            _show_events(client, "", arguments, source, timeout_s=timeout_s, as_json=as_json)
        else:
            execution = client.execute(
                "",
                arguments,
                source=source.text,
                source_name=source.name,
                timeout_s=timeout_s,
            )
            _show_execution(execution, as_json)


@dataclass(frozen=True, slots=True)
class Source:
    """A script that comes along."""

    text: str = ""  # "" for one that the server holds.
    name: str = ""  # What error messages call it.


def _types(source: Source) -> dict[str, str]:
    from loki.errors import ConfigurationError

    try:
        return declared_types(source.text, Path(source.name))
    except ConfigurationError as error:
        fail(f"{error}")
    except ValueError as error:
        fail(f"{source.name}: {error}")


def _read_source(file: Path) -> str:
    from loki.errors import ConfigurationError

    try:
        source = sys.stdin.read() if file == STDIN else read_source(file)
    except (ConfigurationError, UnicodeDecodeError) as error:
        fail(f"{error}")
    return source if source.strip() else fail(f"{file}: the script is empty")


def _show_execution(execution: "Execution", as_json: bool) -> None:
    if as_json:
        say_json(_execution_json(execution))
        return
    show_output(execution.output)
    if execution.output_truncated:
        note("(more was printed than max_output_kb keeps)")
    _show_value(execution)


def _show_value(execution: "Execution") -> None:
    """Null is nothing to show."""
    if execution.value is not None:
        say(text_of(execution.value))
    note(usage_line(execution.usage))


def show_output(text: str) -> None:
    """What a script printed, up to the end of its last line."""
    say(text, end="" if text.endswith("\n") or not text else "\n")


def _show_events(
    client: "LokiClient",
    name: str,
    arguments: Mapping[str, Argument],
    source: Source = Source(),
    *,
    timeout_s: float | None,
    as_json: bool,
) -> None:
    """Each event when it comes; leaving early, as by Ctrl-C, ends the execution."""
    with client.stream(
        name, arguments, source=source.text, source_name=source.name, timeout_s=timeout_s
    ) as events:
        execution_id = _announced(events.execution_id, as_json=as_json)
        for event in events:
            if events.execution_id != execution_id:  # That one was refused, and another one begun.
                execution_id = _announced(events.execution_id, as_json=as_json)
            if as_json:
                say_json({"execution_id": execution_id, **_event_json(event)})
            else:
                _show_event(event)


def _announced(execution_id: str, *, as_json: bool) -> str:
    """Itself; said where there is one, and people read."""
    if execution_id and not as_json:
        note(f"execution {execution_id}")
    return execution_id


def _show_event(event: "Event") -> None:
    from loki.client import Output, Progress, Result, Value

    match event:
        case Output(text=text):
            show_output(text)
        case Progress(fraction=fraction, text=text):
            note(f"{fraction:4.0%} {text}")
        case Value(value=value):
            say(text_of(value))
        case Result(execution=execution):
            _show_value(execution)


def _event_json(event: "Event") -> dict[str, Json]:
    from loki.client import Output, Progress, Result, Value

    plain: dict[str, Json] = {"sequence": event.sequence, "time": event.time.isoformat()}
    match event:
        case Output(text=text):
            plain["output"] = text
        case Progress(fraction=fraction, text=text):
            plain["progress"] = {"fraction": jsonable(fraction), "text": text}
        case Value(value=value):
            plain["value"] = jsonable(value)
        case Result(execution=execution):
            plain["result"] = _execution_json(execution)
    return plain


def _execution_json(execution: "Execution") -> dict[str, Json]:
    return {
        "execution_id": execution.id,
        "value": jsonable(execution.value),
        "output": execution.output,
        "output_truncated": execution.output_truncated,
        "usage": jsonable(asdict(execution.usage)),
    }
