"""The `demo` command: serves the examples and calls each tool once over gRPC."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from loki.cli.connection import fail
from loki.cli.option import Config
from loki.cli.view import console, say, show_table, text_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from loki.client import LokiClient

PLACES = (Path("loki.toml"), Path("examples/loki.toml"))
FINISHED = "finished"
TIMEOUT_S = 10.0
SHOWN = 60


@dataclass(frozen=True)
class Step:
    """One call, and how it must end."""

    tool: str
    arguments: Mapping[str, str | int | float] = field(default_factory=dict)
    cause: str = FINISHED  # Else the reason of the error that Loki must end it with.
    stream: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    result: str
    wall_ms: float
    cause: str


def demo(config: Config = None) -> None:
    """Serve the examples on a free port, call every tool once, show the results, stop."""
    from loki.cli.page import local_page
    from loki.errors import LokiError
    from loki.testing import LokiServer

    path = config or next(filter(Path.is_file, PLACES), PLACES[-1])
    if not path.is_file():
        fail(f"{path}: no such file; give the examples' settings with --config PATH")
    try:
        with local_page() as url, LokiServer(config=path) as server, server.client() as client:
            say(f"Loki serves {len(server.tools)} tools at {server.address}")
            good = play(client, steps(url))
    except LokiError as error:
        fail(error.message)
    raise typer.Exit(0 if good else 1)


def steps(url: str) -> tuple[Step, ...]:
    """Every tool of the examples; `url` is a page on this machine."""
    return (
        Step("hello", {"name": "Ada"}),
        Step("climate", {"threshold": 20.0}),
        Step("average", {"sensor": "greenhouse_temperature", "n": 5}),
        Step("report", {"threshold": 20.0}),
        Step("fetch", {"url": url}),
        Step("notebook", {"title": "demo", "text": "written by loki demo"}),
        Step("counter"),
        Step("trend"),
        Step("countdown", {"from": 5, "interval_ms": 100}, stream=True),
        Step("runaway", cause="TIME_BUDGET"),
    )


def play(client: "LokiClient", todo: tuple[Step, ...]) -> bool:
    """Run the steps with progress shown, then the table; whether each ended as it must."""
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as progress:
        outcomes = [_show_progress(progress, step, client) for step in todo]
    good = [step.cause == done.cause for step, done in zip(todo, outcomes, strict=True)]
    show_table(
        ("", "tool", "result", "wall time", "cause"),
        (
            ("✓" if as_planned else "✗", step.tool, done.result, wall(done), done.cause)
            for step, done, as_planned in zip(todo, outcomes, good, strict=True)
        ),
    )
    return all(good)


def wall(outcome: Outcome) -> str:
    """Milliseconds, or nothing for a call that never ran."""
    return f"{outcome.wall_ms:.1f} ms" if outcome.wall_ms else ""


def _show_progress(progress: "Progress", step: Step, client: "LokiClient") -> Outcome:
    task = progress.add_task(step.tool, total=1.0)
    outcome = perform(client, step, lambda fraction: progress.update(task, completed=fraction))
    progress.update(task, completed=1.0)
    return outcome


def perform(client: "LokiClient", step: Step, report: Callable[[float], None]) -> Outcome:
    """One call; `report` hears the fraction that a streamed script says is done."""
    from loki.client import LokiClientError

    try:
        if step.stream:
            return _stream(client, step, report)
        execution = client.execute(step.tool, step.arguments, timeout_s=TIMEOUT_S)
        return Outcome(shorten(text_of(execution.value)), execution.usage.wall_ms, FINISHED)
    except LokiClientError as error:
        wall_ms = error.usage.wall_ms if error.usage else 0.0
        return Outcome(shorten(error.message), wall_ms, error.reason or error.code_name)


def _stream(client: "LokiClient", step: Step, report: Callable[[float], None]) -> Outcome:
    from loki.client import Progress, Result, Value

    values = []
    with client.stream(step.tool, step.arguments, timeout_s=TIMEOUT_S) as events:
        for event in events:
            match event:
                case Value(value=value):
                    values.append(text_of(value))
                case Progress(fraction=fraction):
                    report(fraction)
                case Result(execution=execution):
                    text = " ".join([*values, text_of(execution.value)])
                    return Outcome(shorten(text), execution.usage.wall_ms, FINISHED)
    return Outcome("the stream ended without a result", 0.0, "BUG")


def shorten(text: str) -> str:
    """One line of a table."""
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
