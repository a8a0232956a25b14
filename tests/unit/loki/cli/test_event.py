"""events: a line for each, JSON for machines, and what is no event to stderr."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from loki.cli.event import line_of
from loki.client import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    ScriptChanged,
    SettingsChanged,
    SystemEvent,
)

AT: dict[str, Any] = {"sequence": 3, "time": datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)}
KILLED = ChildChanged(
    **AT,
    child="fenrir",
    state="restarting",
    pid=0,
    incarnation=2,
    restarts=1,
    reason="killed\nby signal 9",
)
UP = ChildChanged(**AT, child="hel", state="up", pid=7, incarnation=1, restarts=0, reason="")
ADDED = ScriptChanged(**AT, name="blink", revision="r1", change="added", origin="registered")
REJECTED = ConfigRejected(**AT, file="tools.toml:3", problem="name: is\nrequired")
WARNED = BudgetWarned(
    **AT, execution_id="x1", script="a", limit="max_memory_mb", used=8, allowed=10, left_out=0
)
FLOOD = BudgetWarned(
    **AT, execution_id="x1", script="a", limit="max_cpu_time_ms", used=8, allowed=10, left_out=90
)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (KILLED, "fenrir is restarting, restart 1 after: killed by signal 9"),
        (UP, "hel is up, pid 7"),
        (ADDED, "blink added, revision r1 (registered)"),
        (REJECTED, "tools.toml:3: name: is required"),
        (WARNED, "a used 80% of max_memory_mb = 10, execution x1"),
        (
            FLOOD,
            "a used 80% of max_cpu_time_ms = 10, execution x1; 90 warnings were left out before",
        ),
    ],
)
def test_each_event_is_one_line(event: SystemEvent, line: str) -> None:
    assert line_of(event) == line


def test_what_happened_then_what_happens(client: Any, loki: Callable[..., Any]) -> None:
    client.system_events = [UP, ADDED]
    result = loki("events", "--kind", "child", "--kind", "script")
    assert result.exit_code == 0
    up, added = result.stdout.splitlines()
    assert up.endswith("05.678 child  hel is up, pid 7")
    assert added.endswith("05.678 script blink added, revision r1 (registered)")
    assert ("follow_events", ["child", "script"], True) in client.calls


def test_without_following_it_ends(client: Any, loki: Callable[..., Any]) -> None:
    client.system_events = [UP]
    result = loki("events", "--no-follow", "--json")
    assert json.loads(result.stdout) == {
        "kind": "child",
        "sequence": 3,
        "time": "2026-01-02T03:04:05.678000+00:00",
        "child": "hel",
        "state": "up",
        "pid": 7,
        "incarnation": 1,
        "restarts": 0,
        "reason": "",
    }
    assert ("watch_events", [], True) in client.calls


def test_a_lost_connection_is_told_apart_from_events(
    client: Any, loki: Callable[..., Any], errors: Any
) -> None:
    client.system_events = [UP]
    client.loses_connection = errors.unreachable()
    result = loki("events", "--json")
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr.splitlines() == [
        "the connection to 127.0.0.1:50070 is lost (failed to connect to all addresses); "
        "trying again",
        "127.0.0.1:50070 is back",
        "7 events are missing here",
        "some events are missing here",
    ]


def test_ctrl_c_is_a_good_end(client: Any, loki: Callable[..., Any]) -> None:
    client.system_events = [UP, KeyboardInterrupt()]
    result = loki("events")
    assert (result.exit_code, result.stderr) == (0, "")
    assert client.calls[-1] == ("close",)


def test_no_server_is_one_line(client: Any, loki: Callable[..., Any], errors: Any) -> None:
    client.error = errors.unreachable()
    result = loki("events")
    assert result.exit_code == 1
    assert "no Loki answers at 127.0.0.1:50070" in result.stderr


def test_an_unknown_kind_is_refused_with_those_there_are(loki: Callable[..., Any]) -> None:
    result = loki("events", "--kind", "fault")
    assert result.exit_code == 2
    assert all(f"'{kind}'" in result.stderr for kind in ("child", "script", "config", "budget"))


@pytest.mark.parametrize(
    ("changed", "waiting", "version", "line"),
    [
        (("a", "b.c"), ("d",), 4, "a, b.c changed; d waiting for the next start, version 4"),
        ((), (), 0, "all of the file holds"),
    ],
)
def test_changed_settings_are_a_line(
    changed: tuple[str, ...], waiting: tuple[str, ...], version: int, line: str
) -> None:
    event = SettingsChanged(
        sequence=1,
        time=datetime(2026, 1, 2, tzinfo=UTC),
        changed=changed,
        waiting=waiting,
        restarted=(),
        version=version,
    )
    assert line_of(event) == line
