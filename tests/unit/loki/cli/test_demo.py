"""The demo's steps, and how it judges what came of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

from loki import bootstrap
from loki.actors.library.toolbox import tools_of
from loki.cli.demo import FINISHED, Outcome, Step, perform, play, shorten, steps
from loki.cli.page import GREETING, local_page
from loki.client import LokiClientError, Result, Value

EXAMPLES = Path(__file__).parents[4] / "examples" / "loki.toml"


def test_every_example_is_called_once() -> None:
    tools = tools_of(bootstrap.load(EXAMPLES, None).library)
    there = sorted(script.name for script in tools.scripts)
    assert sorted(step.tool for step in steps("http://127.0.0.1:1/")) == there


def test_a_call_that_ends_as_planned(client: Any, run_of: Callable[..., Any]) -> None:
    client.result = run_of({"led": True})
    outcome = perform(client, Step("climate"), lambda _: None)
    assert outcome == Outcome('{ "led": true }', 12.34, FINISHED)


def test_a_stream_reports_its_progress(client: Any, run_of: Callable[..., Any]) -> None:
    from datetime import UTC, datetime

    from loki.client import Progress

    now = datetime.now(UTC)
    client.events = [
        Value(sequence=1, time=now, value=1),
        Progress(sequence=2, time=now, fraction=0.5, text=""),
        Result(sequence=3, time=now, execution=run_of("up")),
    ]
    heard: list[float] = []
    outcome = perform(client, Step("countdown", stream=True), heard.append)
    assert (outcome.result, outcome.cause, heard) == ("1 up", FINISHED, [0.5])


def test_an_error_is_its_reason(client: Any) -> None:
    client.error = LokiClientError(
        "over", code=grpc.StatusCode.DEADLINE_EXCEEDED, reason="TIME_BUDGET"
    )
    assert perform(client, Step("runaway"), lambda _: None) == Outcome("over", 0.0, "TIME_BUDGET")


@pytest.mark.parametrize(("cause", "good"), [(FINISHED, True), ("TIME_BUDGET", False)])
def test_one_surprise_fails_the_demo(
    client: Any, capsys: pytest.CaptureFixture[str], cause: str, good: bool
) -> None:
    assert play(client, (Step("hello"), Step("other", cause=cause))) is good
    assert ("✗" in capsys.readouterr().out) is not good


def test_a_missing_file_is_one_line(loki: Callable[..., Any], tmp_path: Path) -> None:
    result = loki("demo", "--config", str(tmp_path / "none.toml"))
    assert result.exit_code == 1
    assert "none.toml: no such file" in result.stderr


def test_the_page_is_served_and_gone_afterwards() -> None:
    with local_page() as url, urlopen(url) as answer:
        assert answer.read().decode() == GREETING
    with pytest.raises(OSError, match="refused"):
        urlopen(url)


def test_long_results_fit_a_line() -> None:
    assert shorten("a\n  b") == "a b"
    assert len(shorten("x" * 100)) == 60
