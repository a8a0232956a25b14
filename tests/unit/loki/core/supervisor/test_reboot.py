"""How often a system that died is started again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.supervisor.reboot import MOST, PERIOD_S, Pulse, Reboots, died


def after(*deaths_s: float) -> Reboots:
    reboots = Reboots()
    for death_s in deaths_s:
        reboots = died(reboots, death_s)
    return reboots


@pytest.mark.parametrize(
    ("deaths_s", "allowed", "text"),
    [
        ((5.0,), True, "1 of 3 in 60 s"),
        ((5.0, 6.0), True, "2 of 3 in 60 s"),
        ((5.0, 6.0, 7.0), True, "3 of 3 in 60 s"),
        ((5.0, 6.0, 7.0, 8.0), False, "4 of 3 in 60 s"),
        ((5.0, 6.0, 7.0, 64.999), False, "4 of 3 in 60 s"),
        ((5.0, 6.0, 7.0, 65.0), True, "3 of 3 in 60 s"),  # The first is a whole period old.
        ((5.0, 6.0, 7.0, 67.0), True, "1 of 3 in 60 s"),
        ((0.0, 30.0, 60.0, 90.0, 120.0), True, "2 of 3 in 60 s"),  # Twice a minute, for ever.
        ((5.0, 5.0, 5.0, 5.0), False, "4 of 3 in 60 s"),
    ],
)
def test_three_starts_in_any_minute_are_allowed(
    deaths_s: tuple[float, ...], allowed: bool, text: str
) -> None:
    reboots = after(*deaths_s)
    assert (reboots.allowed, reboots.text) == (allowed, text)


@given(st.lists(st.floats(min_value=0.0, max_value=100.0), max_size=30))
def test_no_window_ever_holds_more_starts_than_allowed(pauses_s: list[float]) -> None:
    reboots, now_s, starts_s = Reboots(), 0.0, list[float]()
    for pause_s in pauses_s:
        now_s += pause_s
        reboots = died(reboots, now_s)
        recent = [s for s in starts_s if now_s - s < PERIOD_S]
        assert reboots.allowed == (len(recent) < MOST)
        if not reboots.allowed:
            return
        starts_s.append(now_s)


@pytest.mark.parametrize(
    ("answers", "hung"),
    [
        ("", False),
        ("...", True),
        ("..", False),
        ("..!..", False),
        ("!!!", False),
        ("!...", True),
    ],
)
def test_three_missed_answers_in_a_row_are_a_hang(answers: str, hung: bool) -> None:
    pulse = Pulse()
    for answer in answers:
        pulse = pulse.felt(answer == "!")
    assert pulse.hung is hung
