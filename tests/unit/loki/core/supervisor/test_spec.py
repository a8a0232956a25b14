"""What makes no sense is refused when it is written, with the reason."""

import math
from typing import Any

import pytest

from loki.core.supervisor.spec import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    Restart,
    Strategy,
    SupervisorSpec,
)
from loki.errors import ConfigurationError

A, B = ChildSpec("a"), ChildSpec("b")
SIGNIFICANT = ChildSpec("s", Restart.TRANSIENT, significant=True)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"name": ""}, "needs a name"),
        ({"shutdown_s": -1.0}, "shutdown_s = -1.0 is negative"),
        ({"drain_s": -1.0}, "drain_s = -1.0"),
        ({"drain_s": math.inf}, "drain_s = inf"),
        ({"start_timeout_s": 0.0}, "start_timeout_s must be positive"),
        ({"missed_heartbeats": -1}, "missed_heartbeats is negative"),
        ({"significant": True}, "permanent child cannot be significant"),
        ({"restart": Restart.TEMPORARY, "backoff": Backoff()}, "needs no backoff"),
    ],
)
def test_a_child_that_makes_no_sense(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        ChildSpec(**({"name": "a"} | given))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"intensity": -1}, "intensity = -1 is negative"),
        ({"period_s": 0.0}, "period_s = 0.0 is no span"),
        ({"period_s": math.inf}, "period_s = inf is no span"),
        ({"heartbeat_s": -0.5}, "heartbeat_s must be 0 or more"),
        ({"children": (A, B, A)}, "two children have the name a"),
        ({"children": (A, SIGNIFICANT)}, "'s': it is significant, but auto_shutdown is never"),
        ({"strategy": Strategy.DYNAMIC}, "one child spec, its template"),
        ({"strategy": Strategy.DYNAMIC, "children": ()}, "one child spec, its template"),
    ],
)
def test_a_supervisor_that_makes_no_sense(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        SupervisorSpec(**({"children": (A, B)} | given))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"intensity": -1}, "intensity = -1"),
        ({"period_s": 0.0}, "period_s = 0.0"),
        ({"shortest_s": 0.0}, "0 < shortest_s"),
        ({"shortest_s": 9.0, "longest_s": 8.0}, "shortest_s <= longest_s"),
        ({"longest_s": math.inf}, "longest_s"),
        ({"jitter": 1.5}, "jitter = 1.5"),
        ({"quiet_s": 0.0}, "quiet_s = 0.0"),
    ],
)
def test_a_backoff_that_makes_no_sense(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        Backoff(**given)


def test_defaults_are_those_of_otp() -> None:
    spec = SupervisorSpec((A,))
    assert (spec.strategy, spec.intensity, spec.period_s) == (Strategy.ONE_FOR_ONE, 1, 5.0)
    assert spec.auto_shutdown is AutoShutdown.NEVER
    assert (A.restart, A.shutdown_s, A.significant) == (Restart.PERMANENT, 5.0, False)


@pytest.mark.parametrize(
    ("attempt", "chance", "delay_s"),
    [
        (1, 0.0, 3.0),
        (2, 0.0, 6.0),
        (3, 0.0, 12.0),
        (5, 0.0, 30.0),
        (10**6, 0.0, 30.0),
        (1, 1.0, 3.6),
    ],
)
def test_delays_double_up_to_the_longest(attempt: int, chance: float, delay_s: float) -> None:
    """S-10.2.1."""
    assert Backoff(shortest_s=3.0).delay_s(attempt, chance) == pytest.approx(delay_s)
