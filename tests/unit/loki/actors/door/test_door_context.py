"""What a handler is told of a message, and what the tap sees of it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from loki.actors.door.door import Door
from loki.actors.door.role import Answer, Context
from loki.errors import ErrorCode, PermissionRefused, ResourceLimitExceeded
from loki.messages.envelope import Envelope, Failure, Kind, Message
from loki.messages.lifecycle import Ping
from tests.unit.loki.actors.door.house import (
    LONG_S,
    Add,
    House,
    Note,
    Server,
    Sum,
    in_house,
    run,
    total,
)

# What a handler is told.


@in_house
async def test_a_handler_is_told_who_asks_and_until_when(house: House) -> None:
    client, _ = house.open("client")
    _, role = house.open("server", total)
    await client.ask("server", Add(left=1, right=1), timeout_s=5, run="run-7")
    client.send("server", Note(text="x"))
    await client.ask("server", Ping(), timeout_s=LONG_S)
    (_, asked), (_, told) = role.calls
    assert asked == Context(
        peer="client",
        peer_pid=os.getpid(),
        kin=True,
        run="run-7",
        trace="run-7",
        deadline_s=1005.0,
    )
    assert told.deadline_s is None
    assert told.run == ""


@in_house
async def test_each_coroutine_keeps_the_trace_of_its_own_request(house: House) -> None:
    first_may_go_on = asyncio.Event()

    async def ask_further(message: Add, _context: Context) -> Message:
        if message.left == 1:
            await first_may_go_on.wait()
        return await house.doors[1].ask("third", message, timeout_s=LONG_S)

    client, _ = house.open("client")
    house.open("server", lambda message, context: ask_further(message, context))
    _, third = house.open("third", total)
    slow = asyncio.ensure_future(
        client.ask("server", Add(left=1, right=0), timeout_s=LONG_S, run="run-1")
    )
    await client.ask("server", Add(left=2, right=0), timeout_s=LONG_S, run="run-2")
    first_may_go_on.set()
    await slow
    assert [context.trace for _, context in third.calls] == ["run-2", "run-1"]


@in_house
async def test_waiting_for_a_peer_counts_against_the_deadline(house: House) -> None:
    client, _ = house.open("client")
    client.send("server", Note(text="in time"), timeout_s=5)
    client.send("server", Note(text="too late"), timeout_s=2)
    client.send("server", Note(text="whenever"))
    asked = asyncio.ensure_future(house.reply(client, timeout_s=60))
    await client.ask("client", Ping(), timeout_s=LONG_S)
    house.clock.advance(3)
    _, role = house.open("server", total)
    await asked
    deadlines = [context.deadline_s for _, context in role.calls]
    assert deadlines == [1005.0, 1003.0, None, 1060.0]


@in_house
async def test_a_failed_tell_is_logged_not_answered(house: House) -> None:
    def refuse(_message: Note, _context: Context) -> Answer:
        raise PermissionRefused("no")

    client, _ = house.open("client")
    house.open("server", refuse)
    client.send("server", Note(text="x"))
    await client.ask("server", Ping(), timeout_s=LONG_S)
    assert house.crashes == []


@in_house
async def test_a_named_error_that_nobody_waits_for_ends_no_actor(house: House) -> None:
    """Such as a full outbox, met by a timer: a slow peer is no bug of ours."""
    client, role = house.open("client")
    over = asyncio.Event()

    def refuse(*_args: object) -> None:
        raise ResourceLimitExceeded("full")

    role.lost = refuse  # type: ignore[method-assign]
    server, _ = house.open("server", total)
    client.request("server", Add(left=1, right=1), refuse, timeout_s=LONG_S)
    client.later(0, refuse)
    client.later(0.001, over.set)
    await over.wait()
    await client.ask("server", Ping(), timeout_s=LONG_S)
    house.close(server)
    while client.exchange._lanes:
        await asyncio.sleep(0)
    assert house.crashes == []


@in_house
async def test_a_bug_in_a_callback_ends_the_actor(house: House) -> None:
    client, _ = house.open("client")
    house.open("server", total)

    def bug(*_args: object) -> None:
        raise ZeroDivisionError

    client.request("server", Add(left=1, right=1), bug, timeout_s=LONG_S)
    client.later(0, bug)
    await client.ask("server", Ping(), timeout_s=LONG_S)
    while len(house.crashes) < 2:
        await asyncio.sleep(0)
    assert {name for name, _, _ in house.crashes} == {"client"}


@in_house
async def test_before_a_role_is_attached_its_messages_wait(house: House) -> None:
    client, _ = house.open("client")
    door = Door("server", house.directory, asyncio.get_running_loop(), crashed=lambda *_: None)
    house.doors.append(door)
    asked = asyncio.ensure_future(house.reply(client))
    for _ in range(20):
        await client.ask("client", Ping(), timeout_s=LONG_S)
    assert not asked.done()
    door.attach(Server(door, total), {})
    assert await asked == Sum(total=3)


# The tap.


class Tapped:
    """Records all, and changes what `change` says."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Kind]] = []
        self.change: Callable[[str, Envelope], Envelope | None] = lambda _way, envelope: envelope

    def outgoing(self, peer: str, envelope: Envelope) -> Envelope | None:
        self.seen.append(("out", peer, envelope.kind))
        return self.change("out", envelope)

    def incoming(self, peer: str, envelope: Envelope) -> Envelope | None:
        self.seen.append(("in", peer, envelope.kind))
        return self.change("in", envelope)


@in_house
async def test_the_tap_sees_every_message_of_its_actor(house: House) -> None:
    client, _ = house.open("client")
    server, _ = house.open("server", total)
    server.tap = tap = Tapped()
    assert await house.reply(client) == Sum(total=3)
    assert tap.seen == [("in", "client", Kind.REQUEST), ("out", "client", Kind.REPLY)]
    client.tap = tap = Tapped()
    await client.ask("server", Add(left=1, right=1), timeout_s=LONG_S)
    assert tap.seen == [("out", "server", Kind.REQUEST), ("in", "server", Kind.REPLY)]


@pytest.mark.parametrize("who", ["client", "server"])
@pytest.mark.parametrize("way", ["in", "out"])
def test_what_the_tap_drops_is_answered_by_the_deadline(tmp_path: Path, who: str, way: str) -> None:
    async def test(house: House) -> None:
        doors = {"client": house.open("client")[0], "server": house.open("server", total)[0]}
        tap = Tapped()
        tap.change = lambda seen, envelope: None if seen == way else envelope
        doors[who].tap = tap
        replies: list[Message] = []
        doors["client"].request("server", Add(left=1, right=2), replies.append, timeout_s=0.02)
        while not replies:
            await asyncio.sleep(0)
        (reply,) = replies
        assert isinstance(reply, Failure)
        assert reply.code is ErrorCode.CHILD_DOWN
        assert house.crashes == []

    run(tmp_path, test)


@in_house
async def test_the_tap_may_change_a_message(house: House) -> None:
    client, _ = house.open("client")
    server, _ = house.open("server", total)
    forged = msgspec.Raw(msgspec.msgpack.encode(Sum(total=99)))

    def change(way: str, envelope: Envelope) -> Envelope:
        return msgspec.structs.replace(envelope, body=forged) if way == "out" else envelope

    server.tap = tap = Tapped()
    tap.change = change
    assert await house.reply(client) == Sum(total=99)


@in_house
async def test_a_bug_in_the_tap_still_ends_the_actor(house: House) -> None:
    client, _ = house.open("client")
    server, _ = house.open("server", total)

    def bug(_way: str, _envelope: Envelope) -> Envelope:
        raise ZeroDivisionError

    server.tap = tap = Tapped()
    tap.change = bug
    client.send("server", Note(text="x"))
    while not house.crashes:
        await asyncio.sleep(0)
    assert house.crashes[0][0] == "server"
