"""Calls that are ended from outside, and those that end otherwise."""

import asyncio
from collections.abc import Callable

import pytest

from loki.core.principal import LOCAL, Principal
from loki.errors import ErrorCode, PermissionRefused
from loki.grpc_gateway.open_call import OpenCalls

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
