"""Signals that end a command, in this very process."""

import os
import signal

import pytest

from loki.cli.termination import TOLD, in_order


@pytest.mark.parametrize("number", TOLD)
def test_the_block_is_left_with_the_code_of_the_signal(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as raised, in_order():
        os.kill(os.getpid(), number)
    assert raised.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with in_order():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
