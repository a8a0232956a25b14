"""Runs that are waited for: order, ends, cancels, and what comes for nobody."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.errors import ErrorCode, ServiceUnavailable
from loki.grpc_gateway.call.run_table import MAX_WAITING, RunFailed, RunTable
from loki.messages.envelope import Done, Failure, Message
from loki.messages.execution import (
    CancelRun,
    Cause,
    ChunkTaken,
    OutputWritten,
    RunFinished,
    SubmitRun,
)
from loki.messages.value import pack

SUBMIT = SubmitRun(run="r", principal="local", script="average")
GOOD = RunFinished(run="r", script="average", cause=Cause.FINISHED, value=pack(1))


@pytest.fixture
def table(shell: Any) -> RunTable:
    shell.answers[CancelRun] = lambda _: Done()
    return RunTable(shell)


def deliver(table: RunTable, *messages: Message, peer: str = "runner-1") -> None:
    context = Context(peer=peer, peer_pid=1, kin=False, run="", trace="", deadline_s=None)
    for message in messages:
        assert table.handlers()[type(message)](message, context) is None


def chunk(sequence: int, run: str = "r") -> OutputWritten:
    return OutputWritten(run=run, sequence=sequence, text="x")


def play(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 30))


def test_events_come_in_order_and_the_end_ends(shell, table) -> None:
    async def scene() -> None:
        with table.open(SUBMIT, 3.0) as run:
            deliver(table, chunk(1), chunk(2), GOOD, chunk(3))
            assert [await run.next() for _ in range(3)] == [chunk(1), chunk(2), GOOD]

    play(scene())
    assert shell.sent(SubmitRun) == [("dispatcher", SUBMIT, 3.0)]
    assert shell.sent(CancelRun) == []


def test_the_first_end_counts(table) -> None:
    async def scene() -> RunFinished:
        with table.open(SUBMIT, None) as run:
            crash = Failure(code=ErrorCode.RUNNER_CRASHED, message="gone")
            late = RunFinished(run="r", script="average", cause=Cause.CRASHED, failure=crash)
            deliver(table, GOOD, late)
            return await run.end()

    assert play(scene()) == GOOD


def test_a_bad_end_is_raised_with_all_that_is_known(table) -> None:
    failure = Failure(
        code=ErrorCode.QUEUE_FULL, message="full", details={"limit": "9"}, retry_after_s=0.7
    )
    bad = RunFinished(run="r", script="average", cause=Cause.REFUSED, failure=failure)

    async def scene() -> None:
        with table.open(SUBMIT, None) as run:
            deliver(table, bad)
            await run.end()

    with pytest.raises(RunFailed, match="full") as raised:
        play(scene())
    assert raised.value.finished == bad
    assert raised.value.failure.retry_after_s == 0.7


def test_leaving_before_the_end_cancels(shell, table) -> None:
    async def scene() -> None:
        with table.open(SUBMIT, None) as run:
            waiting = asyncio.ensure_future(run.end())
            await asyncio.sleep(0)
            waiting.cancel()
            await waiting

    with pytest.raises(asyncio.CancelledError):
        play(scene())
    assert shell.sent(CancelRun) == [("dispatcher", CancelRun(run="r"), 5.0)]


def test_what_is_for_nobody_is_dropped(shell, table) -> None:
    deliver(table, chunk(1, run="other"), GOOD)
    assert shell.sent(Message) == []


def test_acknowledgements_go_to_the_runner(shell, table) -> None:
    async def scene() -> None:
        with table.open(SUBMIT, None) as run:
            deliver(table, chunk(1), peer="runner-7")
            await run.next()
            run.taken(1)
            deliver(table, GOOD, peer="dispatcher")

    play(scene())
    assert shell.sent(ChunkTaken) == [("runner-7", ChunkTaken(run="r", sequence=1), None)]


def test_a_flood_is_bounded_and_the_end_still_comes(table, caplog) -> None:
    async def scene() -> int:
        with table.open(SUBMIT, None) as run:
            deliver(table, *(chunk(n) for n in range(1, MAX_WAITING + 50)), GOOD)
            count = 0
            while not isinstance(await run.next(), RunFinished):
                count += 1
            return count

    assert play(scene()) == MAX_WAITING
    assert "floods" in caplog.text


def test_a_lost_dispatcher_ends_what_has_not_ended(shell, table) -> None:
    async def scene() -> None:
        with (
            table.open(SUBMIT, None) as done,
            table.open(SubmitRun(run="q", principal="local", script="average"), None) as pending,
        ):
            deliver(table, GOOD)
            table.dispatcher_lost()
            assert await done.end() == GOOD
            await pending.end()

    with pytest.raises(RunFailed) as raised:
        play(scene())
    assert raised.value.code is ErrorCode.RUNNER_CRASHED
    assert raised.value.finished.cause is Cause.INTERRUPTED  # As the history will say.
    assert (raised.value.finished.run, raised.value.finished.script) == ("q", "average")
    assert shell.sent(CancelRun) == []


def test_what_still_runs_when_loki_stops_is_ended_and_told_so(shell, table) -> None:
    async def scene() -> None:
        with (
            table.open(SUBMIT, None) as done,
            table.open(SubmitRun(run="q", principal="local", script="average"), None) as pending,
        ):
            deliver(table, GOOD)
            table.end_all()
            assert await done.end() == GOOD
            await pending.end()

    with pytest.raises(RunFailed) as raised:
        play(scene())
    assert raised.value.code is ErrorCode.DRAINING
    assert [cancel.run for _, cancel, _ in shell.sent(CancelRun)] == ["q"]


def test_a_draining_table_opens_nothing(shell, table) -> None:
    async def scene() -> None:
        table.refuse_more()
        with table.open(SUBMIT, None):
            raise AssertionError

    with pytest.raises(ServiceUnavailable) as raised:
        play(scene())
    assert raised.value.code is ErrorCode.DRAINING
    assert shell.sent(Message) == []


def test_a_run_that_could_not_be_submitted_is_forgotten(shell, table) -> None:
    def full(_submit: SubmitRun) -> None:
        raise ServiceUnavailable("outbox full", code=ErrorCode.QUEUE_FULL)

    async def scene() -> None:
        with table.open(SUBMIT, None):
            raise AssertionError

    shell.play = full
    with pytest.raises(ServiceUnavailable):
        play(scene())
    assert shell.sent(CancelRun) == []
