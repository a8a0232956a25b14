"""What a run has used of its budgets, and when the next look at them is due."""

import math
import time
from collections.abc import Callable

import pytest

from loki.actors.runner.activity import KB, MB, Activity, Current
from loki.core.run.fake_engine import FakeSession
from loki.messages.execution import Cause, StartRun
from loki.messages.script import Limits, Script
from loki.messages.value import NIL

NOW_S = 100.0
WALL, CPU, MEMORY = "max_execution_time_ms", "max_cpu_time_ms", "max_memory_mb"
OUTPUT, CALLS = "max_output_kb", "max_calls_in_flight"


class FakeOutlet:
    written_bytes = 512


def run_of(limits: Limits, *, cpu_used_s: float = 0.0) -> Current:
    """A run that began at NOW_S."""
    start = StartRun(
        run="r1",
        revision="",
        script=NIL,
        arguments={},
        limits=limits,
        budget_s=2.0,
        deadline_is_clients=False,
        queue_ms=7.0,
        stream=False,
        gateway="gateway",
    )
    root = Activity(
        id="r1",
        script=Script(name="blink", source="", chunk="blink"),
        limits=limits,
        session=FakeSession({}, {}, memory_bytes=MB),
        began_s=NOW_S,
        budget_s=2.0,
        deadline_s=NOW_S + 2.0,
        cpu_allowed_s=limits.max_cpu_time_ms / 1000 or math.inf,
        cpu_began_s=-cpu_used_s,
    )
    return Current(start, root, FakeOutlet())  # type: ignore[arg-type]  # All that it asks of it.


@pytest.fixture(autouse=True)
def no_cpu_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", lambda: 0.0)


@pytest.mark.parametrize(
    ("cpu_used_s", "now_s", "cause"),
    [
        (0.0, NOW_S, None),
        (0.5, NOW_S + 1.999, None),
        (0.0, NOW_S + 2.0, Cause.TIME),
        (0.501, NOW_S, Cause.CPU),
        (0.501, NOW_S + 2.0, Cause.TIME),
    ],
)
def test_s_5_1_1_all_of_a_budget_of_time_may_be_used(
    cpu_used_s: float, now_s: float, cause: Cause | None
) -> None:
    run = run_of(Limits(max_cpu_time_ms=500), cpu_used_s=cpu_used_s)
    assert run.root.exhausted(now_s) is cause


def test_without_a_limit_cpu_time_does_not_end() -> None:
    run = run_of(Limits(max_cpu_time_ms=0), cpu_used_s=1e6)
    assert run.root.exhausted(NOW_S) is None


@pytest.mark.parametrize(
    ("in_flight", "allowed", "may"), [(1, 2, True), (2, 2, False), (9999, 0, True)]
)
def test_calls_in_flight_have_a_limit(in_flight: int, allowed: int, may: bool) -> None:
    root = run_of(Limits(max_calls_in_flight=allowed)).root
    root.calls_in_flight = in_flight
    assert root.may_call() is may


def test_uses_are_in_the_units_of_their_limits() -> None:
    limits = Limits(max_cpu_time_ms=500, max_memory_mb=3, max_output_kb=4, max_calls_in_flight=5)
    run = run_of(limits, cpu_used_s=0.25)
    run.root.calls_in_flight = 2
    uses = {use.limit: (use.used, use.allowed) for use in run.uses(NOW_S + 1.5)}
    assert uses == {
        WALL: (1500, 2000),
        CPU: (250, 500),
        MEMORY: (1, 3),
        OUTPUT: (0.5, 4),
        CALLS: (2, 5),
    }


@pytest.mark.parametrize(
    ("limit", "what", "before", "after"),
    [
        (WALL, lambda run: run.look_at_s, NOW_S + 1.6, NOW_S + 2.0),
        (MEMORY, lambda run: run.memory_warning_bytes, 8 * MB, math.inf),
        (OUTPUT, lambda run: run.output_warning_bytes, 16 * KB, math.inf),
    ],
)
def test_a_warning_is_due_at_four_fifths_and_once(
    limit: str, what: Callable[[Current], float], before: float, after: float
) -> None:
    run = run_of(Limits(max_memory_mb=10, max_output_kb=20))
    assert what(run) == before
    run.has_warned(limit)
    assert (what(run), run.warned) == (after, [limit])


def test_what_has_no_limit_has_no_warning() -> None:
    assert run_of(Limits(max_output_kb=0)).output_warning_bytes == math.inf


@pytest.mark.parametrize(
    ("cause", "wall_s", "overshoot_ms"),
    [
        (Cause.FINISHED, 1.5, 0),
        (Cause.TIME, 2.25, 250),
        (Cause.CPU, 1.5, 125),
    ],
)
def test_the_usage_tells_what_was_used_and_how_far_past_the_limit(
    cause: Cause, wall_s: float, overshoot_ms: float
) -> None:
    limits = Limits(max_cpu_time_ms=500)
    run = run_of(limits, cpu_used_s=0.625)
    run.api_calls, run.peak_memory_bytes = 3, 4096
    run.has_warned(CPU)
    usage = run.usage(NOW_S + wall_s, cause, run.root)
    assert (usage.wall_ms, usage.cpu_ms, usage.overshoot_ms) == (wall_s * 1000, 625, overshoot_ms)
    assert (usage.api_calls, usage.peak_memory_bytes, usage.queue_ms) == (3, 4096, 7)
    assert (usage.budgets, usage.warnings) == (limits, (CPU,))


def test_a_run_goes_by_its_script_and_its_number() -> None:
    run = run_of(Limits())
    assert (run.id, run.name) == ("r1", "blink")
