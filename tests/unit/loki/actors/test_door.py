"""The door: every request gets exactly one reply, and whoever sends nonsense harms nobody."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loki.actors import lane as lane_module
from loki.actors.door import Door
from loki.actors.role import Answer, Context, Handler, Role
from loki.clock import FakeClock
from loki.errors import ErrorCode, LokiError, PermissionRefused, ResourceLimitExceeded
from loki.messages.envelope import Done, Envelope, Failure, Kind, Message, Request
from loki.messages.lifecycle import Ping, Pong

LONG_S = 60.0


class Sum(Message):
    total: int


class Add(Request[Sum]):
    left: int
    right: int


class Note(Message):
    text: str


class Unknown(Request[Done]):
    pass


class Server(Role):
    """Answers as the test says."""

    def __init__(self, door: Door, answer: Callable[[Any, Context], Answer]) -> None:
        super().__init__(door, b"")
        self.answer = answer
        self.calls: list[tuple[Message, Context]] = []
        self.gone: list[tuple[str, int]] = []

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {Add: self._serve, Note: self._serve}

    def _serve(self, message: Message, context: Context) -> Answer:
        self.calls.append((message, context))
        return self.answer(message, context)

    def lost(self, peer: str, pid: int) -> None:
        self.gone.append((peer, pid))


class House:
    """Doors in one loop; a test asks from `client` to `server`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.doors: list[Door] = []
        self.crashes: list[tuple[str, BaseException, str]] = []
        self.clock = FakeClock(monotonic_s=1000.0)

    def open(
        self,
        name: str,
        answer: Callable[[Any, Context], Answer] = lambda _message, _context: None,
    ) -> tuple[Door, Server]:
        door = Door(
            name,
            self.directory,
            asyncio.get_running_loop(),
            crashed=lambda error, incident: self.crashes.append((name, error, incident)),
            clock=self.clock,
        )
        role = Server(door, answer)
        door.attach(role, {})
        self.doors.append(door)
        return door, role

    def close(self, door: Door) -> None:
        self.doors.remove(door)
        door.close()

    async def reply(
        self, client: Door, request: Request[Any] | None = None, timeout_s: float = LONG_S
    ) -> Message:
        """The one reply of a request to `server`; fails on a second one."""
        replies: list[Message] = []
        came = asyncio.Event()

        def then(reply: Message) -> None:
            replies.append(reply)
            came.set()

        client.request("server", request or Add(left=1, right=2), then, timeout_s=timeout_s)
        await asyncio.wait_for(came.wait(), 10)
        await client.ask(client.name, Ping(), timeout_s=LONG_S)  # Whatever else was on its way.
        assert len(replies) == 1
        return replies[0]


def run(tmp_path: Path, test: Callable[[House], Any]) -> None:
    """Run a test in a loop of its own, and leave nothing behind."""

    async def live() -> None:
        house = House(tmp_path)
        try:
            await test(house)
        finally:
            for door in house.doors:
                door.close()

    asyncio.run(live(), debug=False)


def in_house(test: Callable[[House], Any]) -> Callable[[Path], None]:
    def wrapped(tmp_path: Path) -> None:
        run(tmp_path, test)

    wrapped.__name__ = test.__name__
    return wrapped


def total(message: Add, _context: Context) -> Sum:
    return Sum(total=message.left + message.right)


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
def test_a_bug_is_answered_with_an_incident_and_ends_the_actor(
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
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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
    assert not server._tasks


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
