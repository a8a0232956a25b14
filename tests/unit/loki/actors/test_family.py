"""How an end looks from outside."""

import signal

import pytest

from loki.actors.family import how_it_ended


@pytest.mark.parametrize(
    ("exit_code", "reason"),
    [
        (0, "normal"),
        (3, "ended with exit code 3"),
        (-signal.SIGKILL, "killed"),
        (-signal.SIGSEGV, "killed by SIGSEGV"),
        (None, "killed"),
    ],
)
def test_how_it_ended(exit_code: int | None, reason: str) -> None:
    assert how_it_ended(exit_code) == reason
