"""Signals that ask to stop: before, between and in the starter's loops."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from loki.actors.start import stop_request
from loki.actors.start.stop_request import SIGNALS, StopRequest


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    request = StopRequest()
    yield request
    request.close()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_between_two_loops_is_remembered(
    stop: StopRequest, number: signal.Signals
) -> None:
    signal.raise_signal(number)
    assert stop.asked

    async def live() -> None:
        with stop.waking() as asked:
            assert asked.is_set()

    asyncio.run(live())


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_wakes_the_loop(stop: StopRequest, number: signal.Signals) -> None:
    async def live() -> None:
        with stop.waking() as asked:
            asyncio.get_running_loop().call_later(0, os.kill, os.getpid(), number)
            await asyncio.wait_for(asked.wait(), 30)

    asyncio.run(live())
    assert stop.asked


def test_a_signal_gets_out_of_a_call_that_hangs(
    stop: StopRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_request, "PATIENCE_S", 0.01)
    read, write = os.pipe()
    with stop.interrupting():
        signal.raise_signal(signal.SIGTERM)
        os.read(read, 1)
    assert stop.asked
    os.close(read)
    os.close(write)


def test_what_takes_a_moment_only_is_not_interrupted(
    stop: StopRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_request, "PATIENCE_S", 60.0)
    reached = []
    with stop.interrupting():
        signal.raise_signal(signal.SIGTERM)
        reached.append("the end")
    assert (stop.asked, reached) == (True, ["the end"])
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_who_asks_twice_does_not_wait() -> None:
    def child() -> None:
        StopRequest()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    assert exit_code(child) == 130


def test_forks_have_the_signals_as_they_were(stop: StopRequest) -> None:
    assert exit_code(lambda: os.kill(os.getpid(), signal.SIGTERM)) == -signal.SIGTERM


def test_afterwards_signals_do_what_they_did() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    request = StopRequest()
    assert [signal.getsignal(number) for number in SIGNALS] != before
    request.close()
    assert [signal.getsignal(number) for number in SIGNALS] == before


def exit_code(action: object) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            assert callable(action)
            action()
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
