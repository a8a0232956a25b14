"""A hang is silence without work."""

import pytest

from loki.core.runner.pulse import MOST_SILENT, Care, RunnerPulse, beat


def lives(*beats: tuple[int, bool] | str) -> list[Care]:
    """Beats as (CPU ticks, runnable); "answer" is one."""
    pulse, cares = RunnerPulse(), []
    for each in beats:
        if isinstance(each, str):
            pulse = pulse.answered()
        else:
            pulse, care = beat(pulse, each[0], runnable=each[1])
            cares.append(care)
    return cares


def test_one_that_answers_is_asked_at_each_beat() -> None:
    assert lives((5, False), "answer", (5, False), "answer", (5, False)) == [Care.ASK] * 3


def test_one_that_is_silent_and_does_nothing_hangs() -> None:
    assert lives(*[(5, False)] * (MOST_SILENT + 1)) == [Care.ASK, Care.WAIT, Care.KILL]


@pytest.mark.parametrize(
    "beats",
    [
        [(n, False) for n in range(100)],  # It computes.
        [(5, True)] * 100,  # It would, if it were let.
        [(n // 2, False) for n in range(100)],  # Now and then.
    ],
)
def test_one_that_computes_for_long_is_asked_once_and_let_be(
    beats: list[tuple[int, bool]],
) -> None:
    assert lives(*beats) == [Care.ASK] + [Care.WAIT] * 99


def test_an_answer_in_the_end_ends_the_suspicion() -> None:
    assert lives((5, False), (5, False), "answer", (5, False), (5, False)) == [
        Care.ASK,
        Care.WAIT,
        Care.ASK,
        Care.WAIT,
    ]
