"""The command that shows what happens to a server."""

from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from loki.cli.connection import connect, follow_report
from loki.cli.option import DEFAULT_SERVER, AsJson, Server, completion_of, metavar_of, one_of
from loki.cli.view import say, say_json

if TYPE_CHECKING:
    from loki.client import (
        BudgetWarned,
        ChildChanged,
        LokiClient,
        SettingsChanged,
        SystemEvent,
    )


class Kind(StrEnum):
    """What an event tells of."""

    CHILD = "child"
    SCRIPT = "script"
    CONFIG = "config"
    BUDGET = "budget"
    SETTINGS = "settings"


Kinds = Annotated[
    list[Kind] | None,
    typer.Option(
        "--kind",
        parser=one_of(Kind),
        metavar=metavar_of(Kind),
        autocompletion=completion_of(Kind),
        help="Only events of this kind; may be given several times.",
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow/--no-follow", help="Go on with what happens, until Ctrl-C.")
]


def events(
    kinds: Kinds = None,
    follow: Follow = True,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a server and its scripts, then what happens, until Ctrl-C."""
    with connect(server, timeout_s=None, as_json=as_json) as client:
        try:
            for event in _events(client, [kind.value for kind in kinds or ()], server, follow):
                _show(event, as_json)
        except KeyboardInterrupt:  # The way to end this.
            return


def _events(
    client: "LokiClient", kinds: list[str], server: str, follow: bool
) -> Iterator["SystemEvent"]:
    if not follow:
        return client.watch_events(kinds, include_recent=True).recent()
    return client.follow_events(kinds, include_recent=True, report=follow_report(server))


def _show(event: "SystemEvent", as_json: bool) -> None:
    from loki.client.system_event import KIND_OF_CLASS

    kind = KIND_OF_CLASS[type(event)]
    if as_json:
        say_json({**asdict(event), "time": event.time.isoformat(), "kind": kind})
    else:
        at = event.time.astimezone()
        say(f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} {kind:6} {line_of(event)}")


def line_of(event: "SystemEvent") -> str:
    """One line for people."""
    from loki.client import (
        BudgetWarned,
        ChildChanged,
        ConfigRejected,
        ScriptChanged,
        SettingsChanged,
    )

    match event:
        case ChildChanged():
            return _child_line(event)
        case ScriptChanged():
            return f"{event.name} {event.change}, revision {event.revision} ({event.origin})"
        case ConfigRejected():
            return f"{event.file}: {' '.join(event.problem.split())}"
        case BudgetWarned():
            return _budget_line(event)
        case SettingsChanged():
            return _settings_line(event)


def _settings_line(event: "SettingsChanged") -> str:
    from loki.core.settings.change import summary

    told = summary(changed=event.changed, restarted=event.restarted, waiting=event.waiting)
    version = f", version {event.version}" if event.version else ""
    return told + version


def _child_line(event: "ChildChanged") -> str:
    parts = [f"{event.child} is {event.state}"]
    if event.pid:
        parts.append(f"pid {event.pid}")
    if event.restarts:
        parts.append(f"restart {event.restarts}")
    after = f" after: {' '.join(event.reason.split())}" if event.reason else ""
    return ", ".join(parts) + after


def _budget_line(event: "BudgetWarned") -> str:
    more = f"; {event.left_out} warnings were left out before" if event.left_out else ""
    share = f"{event.used / event.allowed:.0%}" if event.allowed else f"{event.used:g}"
    return (
        f"{event.script} used {share} of {event.limit} = {event.allowed:g}, "
        f"execution {event.execution_id}{more}"
    )
