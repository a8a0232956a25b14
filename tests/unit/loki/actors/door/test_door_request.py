"""Requests through the door: each gets exactly one reply, whatever happens to the peer."""

import asyncio
import logging
import os
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loki.actors.door import lane as lane_module
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded
from loki.messages.envelope import Done, Envelope, Failure, Kind, Message, Request
from loki.messages.lifecycle import Ping, Pong
from tests.unit.loki.actors.door.house import (
    LONG_S,
    Add,
    House,
    Move,
    Note,
    Sum,
    Unknown,
    in_house,
    run,
    total,
)


@in_house
async def test_a_deadline_that_passes_is_answered_and_the_late_reply_dropped(house: House) -> None:
    promise: Future[Message] = Future()
    client, _ = house.open("client")
    house.open("server", lambda _m, _c: promise)
    reply = await house.reply(client, timeout_s=0.01)
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.CHILD_DOWN
    assert "0.01 s" in reply.message
    assert reply.retry_after_s
    promise.set_result(Sum(total=3))
    assert await house.reply(client, Unknown()) != Sum(total=3)
    assert not client._requests


def unsure(reply: Message) -> bool:
    return isinstance(reply, Failure) and reply.code is ErrorCode.OUTCOME_UNKNOWN


@in_house
async def test_what_is_to_be_done_once_and_is_not_answered_may_have_been_done(
    house: House,
) -> None:
    client, _ = house.open("client")
    server, _ = house.open("server", lambda _m, _c: Future())
    late = await house.reply(client, Move(), timeout_s=0.01)
    assert unsure(late)
    assert isinstance(late, Failure)
    assert late.retry_after_s is None
    asked = asyncio.ensure_future(house.reply(client, Move()))
    await client.ask("server", Ping(), timeout_s=LONG_S)
    house.close(server)
    assert unsure(await asked)


@in_house
async def test_what_never_reached_its_peer_was_not_done(house: House) -> None:
    client, _ = house.open("client")
    replies: list[Message] = []
    client.request("server", Move(), replies.append, timeout_s=LONG_S)
    client._requests.unreachable("server")
    (reply,) = replies
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.CHILD_DOWN
    assert reply.retry_after_s


@in_house
async def test_what_waits_for_its_peer_past_the_deadline_may_still_reach_it(house: House) -> None:
    client, _ = house.open("client")
    came = asyncio.get_running_loop().create_future()
    client.request("server", Move(), came.set_result, timeout_s=0.01)
    assert unsure(await came)


@in_house
async def test_the_death_of_the_peer_is_answered(house: House) -> None:
    client, role = house.open("client")
    server, _ = house.open("server", lambda _m, _c: Future())
    asked = asyncio.ensure_future(house.reply(client))
    await client.ask("server", Ping(), timeout_s=LONG_S)
    house.close(server)
    reply = await asked
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.CHILD_DOWN
    assert "ended before it answered" in reply.message
    assert role.gone == [("server", os.getpid())]


@in_house
async def test_the_death_of_a_peer_that_had_to_be_waited_for_is_answered(house: House) -> None:
    client, _ = house.open("client")
    asked = asyncio.ensure_future(house.reply(client))
    await client.ask("client", Ping(), timeout_s=LONG_S)
    server, role = house.open("server", lambda _m, _c: Future())
    while not role.calls:
        await client.ask("server", Ping(), timeout_s=LONG_S)
    house.close(server)
    reply = await asked
    assert isinstance(reply, Failure)
    assert "ended before it answered" in reply.message


@in_house
async def test_a_request_that_waited_for_its_peer_is_served(house: House) -> None:
    client, _ = house.open("client")
    asked = asyncio.ensure_future(house.reply(client))
    await client.ask("client", Ping(), timeout_s=LONG_S)
    house.open("server", total)
    assert await asked == Sum(total=3)


def test_a_peer_that_stays_away_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RECONNECT_WINDOW_S", 0.02)

    async def test(house: House) -> None:
        client, _ = house.open("client")
        reply = await house.reply(client)
        assert isinstance(reply, Failure)
        assert reply.code is ErrorCode.CHILD_DOWN
        assert "is not there" in reply.message

    run(tmp_path, test)


def test_a_full_outbox_is_answered_but_not_before_the_question_is_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "OUTBOX_BYTES", -1)

    async def test(house: House) -> None:
        client, _ = house.open("client")
        replies: list[Message] = []
        client.request("server", Add(left=1, right=2), replies.append, timeout_s=LONG_S)
        assert replies == []
        while not replies:
            await asyncio.sleep(0)
        (reply,) = replies
        assert isinstance(reply, Failure)
        assert reply.code is ErrorCode.QUEUE_FULL
        with pytest.raises(ResourceLimitExceeded):
            client.send("server", Note(text="x"))

    run(tmp_path, test)


@in_house
async def test_a_reply_that_is_too_big_becomes_a_failure(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", lambda _m, _c: Note(text="x" * 9_000_000))
    reply = await house.reply(client)
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.QUOTA


@in_house
async def test_a_request_that_is_too_big_is_answered(house: House) -> None:
    class Say(Request[Done]):
        text: str

    client, _ = house.open("client")
    house.open("server", total)
    reply = await house.reply(client, Say(text="x" * 9_000_000))
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.QUOTA


@in_house
async def test_a_reply_of_the_wrong_type_is_unsupported(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", lambda _m, _c: Note(text="not a sum"))
    reply = await house.reply(client)
    assert isinstance(reply, Failure)
    assert reply.code is ErrorCode.UNSUPPORTED


@in_house
async def test_only_who_was_asked_may_answer(house: House) -> None:
    """Correlation numbers can be guessed; a broken-out runner must not answer for others."""
    promise: Future[Message] = Future()
    client, _ = house.open("client")
    _, role = house.open("server", lambda _m, _c: promise)
    mallory, _ = house.open("mallory")
    asked = asyncio.ensure_future(house.reply(client))
    while not role.calls:
        await client.ask("server", Ping(), timeout_s=LONG_S)
    body = msgspec.Raw(msgspec.msgpack.encode(Sum(total=666)))
    for number in range(100):
        forged = Envelope(Kind.REPLY, number, None, "", "", body)
        mallory.exchange.post("client", msgspec.msgpack.encode(forged))
    await mallory.ask("client", Ping(), timeout_s=LONG_S)
    promise.set_result(Sum(total=3))
    assert await asked == Sum(total=3)


@in_house
async def test_closing_answers_whoever_still_waits(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", lambda _m, _c: Future())
    asked = asyncio.ensure_future(client.ask("server", Add(left=1, right=2), timeout_s=LONG_S))
    await client.ask("server", Ping(), timeout_s=LONG_S)
    house.close(client)
    with pytest.raises(LokiError, match="is ending") as refused:
        await asked
    assert refused.value.code is ErrorCode.CHILD_DOWN


def test_closing_while_workers_are_busy_neither_waits_nor_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release, began = threading.Event(), threading.Event()
    work: list[Future[Any]] = []

    def block() -> Sum:
        began.set()
        assert release.wait(10)
        return Sum(total=1)

    async def test(house: House) -> None:
        client, _ = house.open("client")
        server, _ = house.open("server", lambda _m, _c: remember(worker.submit(block)))
        worker = server.worker("bus")
        asked = [asyncio.ensure_future(house.reply(client)) for _ in range(2)]
        while not began.is_set():
            await client.ask("server", Ping(), timeout_s=LONG_S)
        while len(work) < 2:
            await client.ask("server", Ping(), timeout_s=LONG_S)
        house.close(server)
        for reply in await asyncio.gather(*asked):
            assert isinstance(reply, Failure)
            assert reply.code is ErrorCode.CHILD_DOWN
        assert house.crashes == []

    def remember(future: Future[Any]) -> Future[Any]:
        work.append(future)
        return future

    run(tmp_path, test)
    assert work[1].cancelled()
    release.set()
    assert work[0].result(10) == Sum(total=1)
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


@in_house
async def test_nothing_is_left_of_many_requests(house: House) -> None:
    client, _ = house.open("client")
    server, _ = house.open("server", total)
    for _ in range(300):
        await client.ask("server", Add(left=1, right=1), timeout_s=LONG_S)
    assert not client._requests
    assert not server._requests
    assert not server._work._tasks


# Ask.


@in_house
async def test_ask_gives_the_reply_or_raises_the_failure(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", total)
    reply = await client.ask("server", Add(left=2, right=2), timeout_s=LONG_S)
    assert reply.total == 4
    with pytest.raises(LokiError, match="does not understand") as refused:
        await client.ask("server", Unknown(), timeout_s=LONG_S)
    assert refused.value.code is ErrorCode.UNSUPPORTED


@in_house
async def test_an_ask_that_is_cancelled_does_not_mind_its_reply(house: House) -> None:
    promise: Future[Message] = Future()
    client, _ = house.open("client")
    _, role = house.open("server", lambda _m, _c: promise)
    asked = asyncio.ensure_future(client.ask("server", Add(left=1, right=1), timeout_s=LONG_S))
    while not role.calls:
        await client.ask("server", Ping(), timeout_s=LONG_S)
    asked.cancel()
    promise.set_result(Sum(total=2))
    while client._requests:
        await client.ask("server", Ping(), timeout_s=LONG_S)
    assert house.crashes == []


@in_house
async def test_everybody_answers_ping(house: House) -> None:
    client, _ = house.open("client")
    house.open("server")
    assert await house.reply(client, Ping()) == Pong(name="server", pid=os.getpid())


@in_house
async def test_a_call_of_a_peer_that_is_away_is_not_sent(house: House) -> None:
    client, _ = house.open("client")
    replies: list[object] = []
    body = msgspec.msgpack.encode(Add(left=1, right=2))

    def call() -> bool:
        return client.call("server", body, replies.append, timeout_s=LONG_S, run="r1")

    assert not call()
    assert len(client._requests) == 0
    server, role = house.open("server", total)
    assert call()
    while not replies:
        await client.ask("server", Ping(), timeout_s=LONG_S)
    assert len(role.calls) == len(replies) == 1
    house.close(server)
    assert not call()
    assert len(client._requests) == 0


@in_house
async def test_a_call_that_the_tap_lets_vanish_runs_into_its_timeout(house: House) -> None:
    class Swallow:
        def outgoing(self, _peer: str, _envelope: Envelope) -> Envelope | None:
            return None

        def incoming(self, _peer: str, envelope: Envelope) -> Envelope | None:
            return envelope

    client, _ = house.open("client")
    client.tap = Swallow()
    replies: list[object] = []
    body = msgspec.msgpack.encode(Add(left=1, right=2))
    assert client.call("server", body, replies.append, timeout_s=0.01, run="r1")
    while not replies:
        await asyncio.sleep(0)
    (reply,) = replies
    assert isinstance(reply, Failure)
    assert "did not answer" in reply.message
