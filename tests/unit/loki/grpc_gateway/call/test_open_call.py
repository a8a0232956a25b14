"""Calls that are ended from outside, and those that end otherwise."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from loki.core.access.credential import Credentials, digest
from loki.core.access.principal import LOCAL, Principal
from loki.errors import ErrorCode, PermissionRefused
from loki.grpc_gateway.call import open_call
from loki.grpc_gateway.call.open_call import OpenCalls
from loki.messages.access import ClientRole
from loki.messages.envelope import Done
from loki.messages.execution import CancelRun, OutputWritten, SubmitRun
from loki.v1 import service_pb2_grpc
from tests.unit.loki.conftest import TIMEOUT_S, FakeShell, Hosted
from tests.unit.loki.grpc_gateway.rpc import status_of, stream

PANEL = Principal("panel", frozenset())


async def waiting(calls: OpenCalls, principal: Principal) -> "asyncio.Task[None]":
    """A call that is under way, until it is ended."""
    begun = asyncio.Event()

    async def call() -> None:
        with calls.entry(principal, principal.name):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await begun.wait()
    return task


def of(name: str) -> Callable[[Principal, object], bool]:
    return lambda principal, context: principal.name == context == name


def test_a_call_ends_when_its_rights_do_and_no_other_does() -> None:
    async def scene() -> None:
        calls = OpenCalls()
        ours, theirs = await waiting(calls, LOCAL), await waiting(calls, PANEL)
        calls.end(of("local"))
        with pytest.raises(PermissionRefused, match="do not hold any more") as raised:
            await theirs
        assert raised.value.code is ErrorCode.NO_CREDENTIALS
        assert not ours.done()
        assert theirs.cancelling() == 0
        ours.cancel()
        await asyncio.wait({ours})

    asyncio.run(scene())


def test_a_client_that_leaves_is_no_refusal() -> None:
    async def scene() -> None:
        calls = OpenCalls()
        task = await waiting(calls, PANEL)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        calls.end(of("nobody"))

    asyncio.run(scene())


def test_a_call_that_ended_is_not_known_any_more() -> None:
    async def scene() -> None:
        calls = OpenCalls()
        with calls.entry(PANEL, "panel"):
            pass
        calls.end(of("nobody"))
        await asyncio.sleep(0)  # Where a cancellation would arrive.

    asyncio.run(scene())


class Reader:
    """A context whose client reads when the test says so."""

    def __init__(self) -> None:
        self.began, self.reads = asyncio.Event(), asyncio.Event()

    async def write(self, _message: object) -> None:
        self.began.set()
        await self.reads.wait()

    async def send_initial_metadata(self, metadata: object) -> None:
        await self.write(metadata)

    def peer(self) -> str:
        return "unix:"


async def sending(calls: OpenCalls, reader: Reader, name: str) -> "asyncio.Task[None]":
    """A call in the middle of sending something."""

    async def call() -> None:
        with calls.entry(PANEL, reader) as context:
            assert context.peer() == "unix:"
            await getattr(context, name)("x")

    task = asyncio.create_task(call())
    await reader.began.wait()
    return task


def nobody(_principal: Principal, _context: Any) -> bool:
    return False


@pytest.mark.parametrize("name", ["write", "send_initial_metadata"])
def test_what_is_being_sent_is_not_cut_off(name: str) -> None:
    async def scene() -> None:
        calls, reader = OpenCalls(), Reader()
        task = await sending(calls, reader, name)
        calls.end(nobody)
        calls.end(nobody)
        assert task.cancelling() == 0
        reader.reads.set()
        with pytest.raises(PermissionRefused, match="do not hold any more"):
            await task

    asyncio.run(scene())


def test_a_client_that_reads_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_call, "PATIENCE_S", 0.0)

    async def scene() -> None:
        calls, reader = OpenCalls(), Reader()
        task = await sending(calls, reader, "write")
        calls.end(nobody)
        with pytest.raises(PermissionRefused, match="do not hold any more"):
            await task

    asyncio.run(scene())


def test_what_was_sent_while_all_held_goes_on() -> None:
    async def scene() -> None:
        calls, reader = OpenCalls(), Reader()
        task = await sending(calls, reader, "write")
        calls.end(lambda principal, context: (principal, context) == (PANEL, reader))
        reader.reads.set()
        await task

    asyncio.run(scene())


def test_a_token_that_is_taken_away_while_a_client_does_not_read_is_told_of(
    shell: FakeShell, host: Callable[..., Hosted]
) -> None:
    hosted = host(shell)
    shell.answers[CancelRun] = lambda _: Done()
    ada = Principal("ada", frozenset({ClientRole.VIEW, ClientRole.EXECUTE}))
    hosted.let_in(Credentials(tokens=((digest(b"s3cret-s3cret-s3"), ada),)))
    with grpc.insecure_channel(hosted.address) as channel:
        call = service_pb2_grpc.LokiServiceStub(channel).StreamScriptExecution
        token = [("authorization", "Bearer s3cret-s3cret-s3")]
        events = call(stream(), metadata=token, timeout=TIMEOUT_S)
        run = shell.wait_for(SubmitRun).run
        assert events.initial_metadata()
        text = "x" * 3_000_000  # More than is sent to who does not read.
        sent = (OutputWritten(run=run, sequence=each, text=text) for each in (1, 2))
        hosted.deliver(*sent)
        for _ in range(5):  # Turns of the loop: the write has begun.
            hosted.run(asyncio.sleep(0))
        hosted.let_in(Credentials())
        got: list[str] = []
        with pytest.raises(grpc.RpcError) as raised:
            got.extend(event.output.text for event in events)
        assert set(got) <= {text}
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert b"NO_CREDENTIALS" in details["ErrorInfo"].value
