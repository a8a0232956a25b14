"""The timers of the loop inside Thespian's select: their order, and how they are swept."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from loki.actors.base import selector
from loki.actors.base.selector import LOOP, SWEEP_AT_LEAST


@pytest.fixture(autouse=True)
def clean_loop() -> Iterator[None]:
    LOOP.forget()
    yield
    LOOP.forget()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The loop's time, which stands still until a test sets `clock.now`."""
    clock = SimpleNamespace(now=100.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(selector, "time", clock)
    return clock


def nothing() -> None:
    """For timers that never run."""


def test_timers_run_in_the_order_of_their_times(clock: SimpleNamespace) -> None:
    ran: list[str] = []
    LOOP.call_later(2, lambda: ran.append("late"))
    LOOP.call_later(1, lambda: ran.append("early"))
    LOOP.call_later(0, lambda: ran.append("now"))
    assert LOOP.run_due_timers() == 1
    assert ran == ["now"]
    clock.now += 5
    assert LOOP.run_due_timers() is None
    assert ran == ["now", "early", "late"]


def test_cancelled_long_timers_do_not_pile_up() -> None:
    kept = [LOOP.call_later(60 + n, nothing) for n in range(10)]
    for _ in range(20_000):
        LOOP.call_later(5, nothing).cancel()
    assert len(LOOP._timers) < 3 * SWEEP_AT_LEAST
    assert all(timer in LOOP._timers for timer in kept)


def test_sweeping_keeps_the_order_of_those_that_stay(clock: SimpleNamespace) -> None:
    ran: list[int] = []
    for n in (3, 1, 2, 0):
        LOOP.call_later(n, lambda n=n: ran.append(n))
        for _ in range(SWEEP_AT_LEAST):
            LOOP.call_later(5, nothing).cancel()
    clock.now += 4
    LOOP.run_due_timers()
    assert ran == [0, 1, 2, 3]
