"""Streams of scripts that the server refuses for now: both clients, against a real gateway."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from loki.client import AsyncLokiClient, LokiClient, LokiClientError, Output, Result
from loki.client.repeated_call import RepeatedCall
from loki.client.retry import Retries
from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, OutputWritten, RunFinished, SubmitRun
from loki.messages.interface import PublishInterfaces
from loki.messages.value import pack
from tests.unit.loki.conftest import TIMEOUT_S
from tests.unit.loki.grpc_gateway.interface import interface

PATIENCE_S = 60.0
FULL = Failure(code=ErrorCode.QUEUE_FULL, message="full", retry_after_s=0.01)
Play = Callable[[Any, str, int], None]
"""`play(hosted, run, number)`: what becomes of the number-th try."""


def end(hosted: Any, run: str, cause: Cause, failure: Failure | None = None) -> None:
    value = pack(7.0)
    hosted.deliver(
        RunFinished(run=run, script="average", cause=cause, failure=failure, value=value)
    )


def refused_twice(hosted: Any, run: str, number: int) -> None:
    if number < 3:
        end(hosted, run, Cause.REFUSED, FULL)
    else:
        hosted.deliver(OutputWritten(run=run, text="so far", sequence=1))
        end(hosted, run, Cause.FINISHED)


def broken_off(hosted: Any, run: str, _number: int) -> None:
    """It began, so it may have done something."""
    hosted.deliver(OutputWritten(run=run, text="so far", sequence=1))
    end(hosted, run, Cause.CRASHED, FULL)


def crashed_at_once(hosted: Any, run: str, _number: int) -> None:
    end(hosted, run, Cause.CRASHED, FULL)


@pytest.fixture
def played(shell: Any, hosted: Any) -> Callable[[Play], list[str]]:
    """Have runs end so; gives the ids of those that were submitted, as they come."""
    hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))

    def begin(play: Play) -> list[str]:
        runs: list[str] = []

        def submitted(submit: SubmitRun) -> None:
            runs.append(submit.run)
            play(hosted, submit.run, len(runs))

        shell.play = submitted
        return runs

    return begin


def by_name(client: Any) -> Any:
    return client.stream("average", {"n": 5})


def typed(client: Any) -> Any:
    return client.tools.average.stream(n=5)


def by_one(address: str, stream: Any, patience_s: float) -> tuple[list[Any], Any]:
    """The events of a stream, and the error that ended it."""
    events = []
    with LokiClient(address, timeout_s=TIMEOUT_S, patience_s=patience_s) as client:
        try:
            events += stream(client)
        except LokiClientError as error:
            return events, error
    return events, None


def by_the_other(address: str, stream: Any, patience_s: float) -> tuple[list[Any], Any]:
    async def scene() -> tuple[list[Any], Any]:
        events = []
        async with AsyncLokiClient(address, timeout_s=TIMEOUT_S, patience_s=patience_s) as client:
            try:
                async for event in stream(client):
                    events.append(event)  # noqa: PERF401  # Those before an error count.
            except LokiClientError as error:
                return events, error
        return events, None

    return asyncio.run(scene())


both_clients = pytest.mark.parametrize("read", [by_one, by_the_other])
both_ways = pytest.mark.parametrize("stream", [by_name, typed])


@both_clients
@both_ways
def test_a_stream_that_was_refused_is_begun_again(
    hosted: Any, played: Any, read: Any, stream: Any
) -> None:
    runs = played(refused_twice)
    (output, result), error = read(hosted.address, stream, PATIENCE_S)
    assert error is None
    assert isinstance(output, Output)
    assert isinstance(result, Result)
    assert len(set(runs)) == 3


@both_clients
@both_ways
@pytest.mark.parametrize(("play", "count"), [(broken_off, 1), (crashed_at_once, 0)])
def test_what_began_is_not_begun_again(
    hosted: Any, played: Any, read: Any, stream: Any, play: Play, count: int
) -> None:
    runs = played(play)
    events, error = read(hosted.address, stream, PATIENCE_S)
    assert (len(events), error.reason) == (count, "QUEUE_FULL")
    assert len(runs) == 1


@both_clients
@both_ways
def test_without_patience_the_caller_is_told(
    hosted: Any, played: Any, read: Any, stream: Any
) -> None:
    runs = played(refused_twice)
    events, error = read(hosted.address, stream, 0)
    assert (events, error.reason, error.retry_after_s) == ([], "QUEUE_FULL", 0.01)
    assert len(runs) == 1


def test_the_id_is_of_the_execution_that_ran(hosted: Any, played: Any) -> None:
    runs = played(refused_twice)
    with LokiClient(hosted.address, patience_s=PATIENCE_S) as client, by_name(client) as events:
        next(events)
        assert events.execution_id == runs[-1]


class Full(grpc.RpcError):
    """A refusal that asks to wait for longer than any test lasts."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.RESOURCE_EXHAUSTED

    def details(self) -> str:
        return "full"

    def trailing_metadata(self) -> tuple[()]:
        return ()


class FakeCall:
    def __init__(self) -> None:
        self.cancelled = False

    def __next__(self) -> Any:
        raise Full

    def cancel(self) -> None:
        self.cancelled = True


class Waiting(Retries):
    """Tells that a pause begins, which lasts for longer than the test."""

    def __init__(self) -> None:
        super().__init__(PATIENCE_S, None)
        self.begun = threading.Event()

    def pause_s(self, error: LokiClientError, unasked_s: float | None = None) -> float:
        self.begun.set()
        return 1000.0


def test_whoever_cancels_while_it_waits_is_not_kept() -> None:
    made: list[FakeCall] = []

    def begin(_timeout_s: float | None) -> FakeCall:
        made.append(FakeCall())
        return made[-1]

    retries = Waiting()
    call = RepeatedCall(begin, retries)
    ended: list[LokiClientError] = []

    def read() -> None:
        with pytest.raises(LokiClientError) as raised:
            next(call)
        ended.append(raised.value)

    reader = threading.Thread(target=read)
    reader.start()
    assert retries.begun.wait(TIMEOUT_S)
    call.cancel()
    reader.join(TIMEOUT_S)
    assert [each.code for each in ended] == [grpc.StatusCode.CANCELLED]
    assert [each.cancelled for each in made] == [True]
