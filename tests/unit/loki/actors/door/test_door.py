"""The door: what is served, with whatever comes in; whoever sends nonsense harms nobody."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loki.actors.door.door import Door
from loki.actors.door.role import Answer, Context
from loki.errors import ErrorCode, PermissionRefused
from loki.messages.envelope import Failure, Message
from loki.messages.lifecycle import Ping
from tests.unit.loki.actors.door.house import (
    LONG_S,
    Add,
    House,
    Note,
    Sum,
    Unknown,
    in_house,
    run,
    total,
)

# One reply, whatever happens.


@in_house
async def test_a_handlers_reply(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", total)
    assert await house.reply(client) == Sum(total=3)
    assert not client._requests


@in_house
async def test_a_named_error_becomes_a_failure(house: House) -> None:
    def refuse(_message: Add, _context: Context) -> Answer:
        raise PermissionRefused("not you", details={"permission": "gpio"})

    client, _ = house.open("client")
    house.open("server", refuse)
    reply = await house.reply(client)
    assert reply == Failure(
        code=ErrorCode.SCRIPT_PERMISSION, message="not you", details={"permission": "gpio"}
    )
    assert house.crashes == []


def raise_bug(_message: Add, _context: Context) -> Answer:
    raise ZeroDivisionError("no number")


async def coroutine_with_bug() -> Message:
    raise ZeroDivisionError("no number")


def future_with_bug(_message: Add, _context: Context) -> Answer:
    answer: Future[Message] = Future()
    answer.set_exception(ZeroDivisionError("no number"))
    return answer


def future_of(result: object) -> Future[Any]:
    answer: Future[Any] = Future()
    answer.set_result(result)
    return answer


@pytest.mark.parametrize(
    "answer",
    [
        raise_bug,
        future_with_bug,
        lambda _m, _c: coroutine_with_bug(),
        lambda _m, _c: None,
        lambda _m, _c: "no message",
        lambda _m, _c: future_of(None),
        lambda _m, _c: Sum(total=2**80),
        lambda _m, _c: Sum(total=object()),
        lambda _m, _c: future_of(Sum(total=object())),
    ],
    ids=["raised", "future", "coroutine", "none", "text", "none later", "big", "alien", "alien 2"],
)
def test_s_10_1_2_a_bug_is_answered_with_an_incident_and_ends_the_actor(
    tmp_path: Path, answer: Callable[[Add, Context], Answer], caplog: pytest.LogCaptureFixture
) -> None:
    async def test(house: House) -> None:
        client, _ = house.open("client")
        house.open("server", answer)
        reply = await house.reply(client)
        assert isinstance(reply, Failure)
        assert reply.code is ErrorCode.BUG
        ((name, error, incident),) = house.crashes
        assert name == "server"
        assert reply.details == {"incident": incident}
        assert incident in reply.message
        assert incident in caplog.text
        assert "Traceback" not in reply.message
        assert str(error) not in reply.message

    run(tmp_path, test)


@in_house
async def test_a_bug_in_a_tells_handler_ends_the_actor_too(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", raise_bug)
    client.send("server", Note(text="x"))
    await client.ask("server", Ping(), timeout_s=LONG_S)
    assert [(name, type(error)) for name, error, _ in house.crashes] == [
        ("server", ZeroDivisionError)
    ]


@in_house
async def test_a_promise_kept_by_another_thread(house: House) -> None:
    server: Door
    threads: list[str] = []

    def blocking(message: Add) -> Sum:
        threads.append(threading.current_thread().name)
        return Sum(total=message.left + message.right)

    client, _ = house.open("client")
    server, _ = house.open("server", lambda m, _c: worker.submit(blocking, m))
    worker = server.worker("bus")
    assert await house.reply(client) == Sum(total=3)
    assert threads[0].startswith("server-bus")


@in_house
async def test_s_10_1_2_a_bug_in_work_that_nobody_waits_for_ends_the_actor(house: House) -> None:
    def bug() -> None:
        raise ZeroDivisionError("no number")

    client, _ = house.open("client")
    server, _ = house.open("server", total)
    worker = server.worker("bus")
    server.mind(worker.submit(lambda: None))
    server.mind(worker.submit(bug))
    await asyncio.wrap_future(worker.submit(lambda: None))
    await house.reply(client)
    assert [(name, type(error)) for name, error, _ in house.crashes] == [
        ("server", ZeroDivisionError)
    ]


@in_house
async def test_a_promise_broken_by_a_named_error(house: House) -> None:
    answer: Future[Message] = Future()
    answer.set_exception(PermissionRefused("no"))
    client, _ = house.open("client")
    house.open("server", lambda _m, _c: answer)
    reply = await house.reply(client)
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.SCRIPT_PERMISSION


@in_house
async def test_a_promise_that_is_withdrawn(house: House) -> None:
    answer: Future[Message] = Future()
    answer.cancel()
    client, _ = house.open("client")
    house.open("server", lambda _m, _c: answer)
    reply = await house.reply(client)
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.CANCELLED


@in_house
async def test_a_coroutines_reply_and_its_named_error(house: House) -> None:
    async def add(message: Add) -> Message:
        await asyncio.sleep(0)
        if message.left < 0:
            raise PermissionRefused("no")
        return Sum(total=message.left + message.right)

    client, _ = house.open("client")
    house.open("server", lambda m, _c: add(m))
    assert await house.reply(client) == Sum(total=3)
    reply = await house.reply(client, Add(left=-1, right=0))
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.SCRIPT_PERMISSION


@in_house
async def test_a_promise_of_a_coroutine_is_kept_as_well(house: House) -> None:
    async def late() -> Message:
        return Sum(total=7)

    client, _ = house.open("client")
    house.open("server", lambda _m, _c: future_of(late()))
    assert await house.reply(client) == Sum(total=7)


@in_house
async def test_an_unknown_message_is_unsupported(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", total)
    reply = await house.reply(client, Unknown())
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.UNSUPPORTED
    assert "Unknown" in reply.message


@in_house
async def test_a_mistyped_message_is_invalid_and_says_where(house: House) -> None:
    client, _ = house.open("client")
    _, role = house.open("server", total)
    reply = await house.reply(client, Add(left="one", right=2))  # type: ignore[arg-type]
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.ARGUMENT_INVALID
    assert "Add" in reply.message
    assert "$.left" in reply.message
    assert role.calls == []


def deep(levels: int) -> bytes:
    """msgpack of arrays in arrays, deeper than any stack."""
    return b"\x91" * levels


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\xc0",
        b"\xa1\xff",
        deep(100_000),
        b"\x81\xa4type\xa1\xff",
        b"\x81\xa4type\xa3Add",
        b"\x82\xa4type\xa3Add\xa4left" + deep(100_000),
    ],
    ids=["empty", "reserved", "nil", "not utf-8", "deep", "tag", "fields", "deep field"],
)
def test_a_body_that_is_no_message_is_answered_and_harms_nobody(
    tmp_path: Path, body: bytes
) -> None:
    async def test(house: House) -> None:
        client, _ = house.open("client")
        house.open("server", total)
        replies: list[Message] = []
        client.call("server", body, replies.append, timeout_s=0.2, run="")  # type: ignore[arg-type]
        assert await house.reply(client) == Sum(total=3)
        while not replies:
            await client.ask("server", Ping(), timeout_s=LONG_S)
        (reply,) = replies
        assert isinstance(reply, Failure)
        assert reply.code in (ErrorCode.ARGUMENT_INVALID, ErrorCode.CHILD_DOWN)
        assert house.crashes == []

    run(tmp_path, test)


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                lambda kind, number, body: (
                    msgspec.msgpack.encode([kind, number, None, "", "", 0])[:-1] + body
                ),
                st.integers(0, 3),
                st.integers(1000, 1005),  # No request of the client's own.
                st.binary(max_size=40),
            ),
        ),
        max_size=20,
    )
)
def test_any_bytes_from_a_peer_harm_nobody(tmp_path: Path, payloads: list[bytes]) -> None:
    async def test(house: House) -> None:
        client, _ = house.open("client")
        house.open("server", total)
        mallory, _ = house.open("mallory")
        for payload in payloads:
            mallory.exchange.post("server", payload)
        await mallory.ask("mallory", Ping(), timeout_s=LONG_S)
        assert await house.reply(client) == Sum(total=3)
        assert house.crashes == []

    run(tmp_path, test)
