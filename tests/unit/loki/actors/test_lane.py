"""Lanes, on an asyncio loop and inside Thespian's select: order, bounds, ends, strangers."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from loki.actors import lane as lane_module
from loki.actors.frame import FRAME_BYTES, MAX_MESSAGE_BYTES, MORE, FrameError, hello, split
from loki.actors.lane import Exchange, Lane, Poller
from loki.actors.peer import Peer, is_kin, parent_of
from loki.actors.selector import LOOP, LaneSelector
from loki.clock import FakeClock
from loki.errors import ErrorCode, ResourceLimitExceeded

PATIENCE_S = 10.0


class Driver(Protocol):
    poller: Poller

    def until(self, true: Callable[[], bool]) -> None: ...
    def turns(self, count: int) -> None: ...


class AsyncioDriver:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.poller: Poller = self.loop

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, "it never happened"
            self.turns(1)

    def close(self) -> None:
        self.loop.close()


class InlineDriver:
    def __init__(self) -> None:
        LOOP.forget()
        self.poller: Poller = LOOP

    def turns(self, count: int) -> None:
        for _ in range(count):
            LaneSelector().select(0)

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, "it never happened"
            self.turns(1)

    def close(self) -> None:
        assert not LOOP.readers
        assert not LOOP.writers
        LOOP.forget()


@pytest.fixture(params=[AsyncioDriver, InlineDriver], ids=["asyncio", "inline"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    made = request.param()
    yield made
    made.close()


class Post:
    """One actor's exchange, and all that it was told."""

    def __init__(self, name: str, directory: Path, driver: Driver) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.lanes: list[Lane] = []
        self.lost: list[Peer] = []
        self.reached: list[str] = []
        self.unreachable: list[str] = []
        self.logged: list[str] = []
        self.waited_s: list[float] = []
        self.clock = FakeClock()
        self.answer: Callable[[Lane, bytes], None] = lambda _lane, _message: None
        self.exchange = Exchange(
            name,
            directory,
            driver.poller,
            received=self._received,
            lost=self.lost.append,
            reached=lambda lane: self.reached.append(lane.peer.name),
            unreachable=self.unreachable.append,
            log=self.logged.append,
            clock=self.clock,
            aged=self._aged,
        )
        self.exchange.open()

    def _aged(self, message: bytes, waited_s: float) -> bytes:
        self.waited_s.append(waited_s)
        return message

    def _received(self, lane: Lane, message: bytes) -> None:
        self.got.append((lane.peer.name, message))
        self.lanes.append(lane)
        self.answer(lane, message)

    @property
    def messages(self) -> list[bytes]:
        return [message for _, message in self.got]


class World:
    """Everybody in one test."""

    def __init__(self, directory: Path, driver: Driver) -> None:
        self.directory = directory
        self.driver = driver
        self._posts: list[Post] = []
        self._raw: list[socket.socket] = []

    def post(self, name: str) -> Post:
        self._posts.append(Post(name, self.directory, self.driver))
        return self._posts[-1]

    def close(self, post: Post) -> None:
        self._posts.remove(post)
        post.exchange.close()

    def stranger(self, to: str, *frames: bytes) -> socket.socket:
        """A process that speaks as it likes."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._raw.append(connection)
        connection.connect(str(self.directory / f"{to}.lane"))
        for frame in frames:
            connection.send(frame)
        connection.setblocking(False)
        return connection

    def listener(self, name: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._raw.append(listener)
        listener.bind(str(self.directory / f"{name}.lane"))
        listener.listen()
        return listener

    def closed(self, connection: socket.socket) -> bool:
        try:
            return connection.recv(FRAME_BYTES) == b""
        except BlockingIOError:
            return False

    def close_all(self) -> None:
        for post in list(self._posts):
            self.close(post)
        for connection in self._raw:
            connection.close()


@pytest.fixture
def world(tmp_path: Path, driver: Driver) -> Iterator[World]:
    made = World(tmp_path, driver)
    yield made
    made.close_all()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Messages.


def test_messages_arrive_in_order(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    sent = [str(n).encode() for n in range(500)]
    for message in sent:
        a.exchange.post("b", message)
    world.driver.until(lambda: len(b.got) == 500)
    assert b.got == [("a", message) for message in sent]


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, 8 * 1024 * 1024])
def test_any_size_up_to_8_mib_arrives_whole(world: World, size: int) -> None:
    a, b = world.post("a"), world.post("b")
    message = os.urandom(size)
    a.exchange.post("b", message)
    a.exchange.post("b", b"next")
    world.driver.until(lambda: len(b.got) == 2)
    assert b.messages == [message, b"next"]


def test_big_messages_of_both_sides_at_once_do_not_block_each_other(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    big = os.urandom(3 * 1024 * 1024)
    b.answer = lambda lane, _message: lane.send(big)
    for _ in range(3):
        a.exchange.post("b", big)
    world.driver.until(lambda: len(a.got) == 3)
    assert a.messages == [big] * 3
    assert b.messages == [big] * 3


def test_a_reply_goes_back_on_the_same_lane(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    b.answer = lambda lane, message: lane.send(b"re: " + message)
    asked = a.exchange.post("b", b"question")
    world.driver.until(lambda: bool(a.got))
    assert a.got == [("b", b"re: question")]
    assert a.lanes == [asked]


def test_who_was_connected_to_is_reached_on_that_lane(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    a.exchange.post("b", b"hello")
    world.driver.until(lambda: bool(b.got))
    assert b.exchange.post("a", b"yours") is b.lanes[0]
    world.driver.until(lambda: bool(a.got))
    assert len(a.exchange._lanes) == len(b.exchange._lanes) == 1


def test_connecting_at_the_same_time_does_not_change_the_order(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    first = a.exchange.post("b", b"0")
    b.exchange.post("a", b"x")
    world.driver.until(lambda: bool(a.got))
    lanes = {a.exchange.post("b", str(n).encode()) for n in range(1, 50)}
    assert lanes == {first}
    world.driver.until(lambda: len(b.got) == 50)
    assert b.messages == [str(n).encode() for n in range(50)]


def test_the_kernel_names_the_peer(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    a.exchange.post("b", b"hello")
    world.driver.until(lambda: bool(b.got))
    assert b.lanes[0].peer == Peer("a", os.getpid(), True)


def test_parents_and_siblings_are_kin_and_children_are_not() -> None:
    assert is_kin(os.getppid())
    assert is_kin(os.getpid())
    assert not is_kin(1 if os.getppid() != 1 else 2)
    assert parent_of(os.getpid()) == os.getppid()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    assert not is_kin(child)
    os.close(write)
    os.close(read)
    os.waitpid(child, 0)
    assert parent_of(child) == 0


# Bounds.


def flood(post: Post, peer: str, message: bytes) -> int:
    """Send until it is refused; how many were accepted."""
    for accepted in range(1_000_000):
        try:
            post.exchange.post(peer, message)
        except ResourceLimitExceeded:
            return accepted
    raise AssertionError("the outbox has no bound")


@pytest.mark.parametrize("size", [0, 100, 100_000])
def test_a_full_outbox_refuses_and_keeps_what_it_accepted(
    world: World, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(lane_module, "OUTBOX_BYTES", 300_000 if size > 1000 else 10_000)
    a, b = world.post("a"), world.post("b")
    accepted = flood(a, "b", bytes(size))
    with pytest.raises(ResourceLimitExceeded, match="b does not read") as refused:
        a.exchange.post("b", bytes(size))
    assert refused.value.code is ErrorCode.QUEUE_FULL
    world.driver.until(lambda: len(b.got) == accepted)
    a.exchange.post("b", b"again")
    world.driver.until(lambda: len(b.got) == accepted + 1)
    assert b.messages == [bytes(size)] * accepted + [b"again"]


@pytest.mark.parametrize("size", [10, 100_000])
def test_what_may_wait_for_a_peer_is_bounded_and_none_of_it_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(lane_module, "OUTBOX_BYTES", 1_000_000)
    monkeypatch.setattr(lane_module, "RECONNECT_WINDOW_S", 60.0)
    a = world.post("a")
    accepted = flood(a, "b", bytes(size))
    b = world.post("b")
    world.driver.until(lambda: len(b.got) == accepted)
    assert a.reached == ["b"]
    assert a.unreachable == []


def test_what_is_too_big_is_refused_before_it_waits(world: World) -> None:
    longest = MAX_MESSAGE_BYTES - lane_module.AGE_BYTES
    a = world.post("a")
    a.exchange.post("b", b"first")
    with pytest.raises(FrameError):
        a.exchange.post("b", bytes(longest + 1))
    a.exchange.post("b", bytes(longest))
    b = world.post("b")
    world.driver.until(lambda: len(b.got) == 2)
    assert [len(message) for message in b.messages] == [5, longest]


def test_a_full_lane_does_not_hold_up_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "OUTBOX_BYTES", 100_000)
    world.listener("deaf")
    a, b = world.post("a"), world.post("b")
    flood(a, "deaf", bytes(60_000))
    a.exchange.post("b", b"hello")
    world.driver.until(lambda: bool(b.got))


# Ends.


def test_the_end_of_a_peer_is_told_once(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    a.exchange.post("b", b"from a")
    b.exchange.post("a", b"from b")  # Two lanes: both have connected.
    world.driver.until(lambda: bool(a.got and b.got))
    assert len(a.exchange._lanes) == 2
    world.close(b)
    world.driver.until(lambda: bool(a.lost))
    world.driver.turns(5)
    assert a.lost == [Peer("b", os.getpid(), True)]
    assert not a.exchange._lanes


def test_the_end_is_told_once_though_a_second_lane_has_not_said_hello_yet(world: World) -> None:
    a = world.post("a")
    first = world.stranger("a", hello("b"))
    world.driver.until(lambda: len(a.exchange._by_name) == 1)
    second = world.stranger("a")
    world.driver.until(lambda: len(a.exchange._lanes) == 2)
    first.close()
    world.driver.until(lambda: len(a.exchange._lanes) == 1)
    assert a.lost == []
    second.send(hello("b"))
    second.close()
    world.driver.until(lambda: bool(a.lost))
    world.driver.turns(5)
    assert len(a.lost) == 1


def test_what_the_peer_sent_last_is_read_before_its_end(world: World) -> None:
    listener = world.listener("b")
    a = world.post("a")
    a.exchange.post("b", b"never read: the peer's end becomes a reset")
    connection, _ = listener.accept()
    connection.send(b"\0one")
    connection.send(b"\0two")
    connection.close()
    world.driver.until(lambda: bool(a.lost))
    assert a.messages == [b"one", b"two"]


def test_sending_to_a_peer_that_is_dead_already_loses_nothing_it_sent(world: World) -> None:
    listener = world.listener("b")
    a = world.post("a")
    a.exchange.post("b", b"hello")
    connection, _ = listener.accept()
    connection.send(b"\0last")
    connection.close()
    a.exchange.post("b", b"into the void")
    world.driver.until(lambda: bool(a.lost))
    assert a.messages == [b"last"]


def test_a_peer_that_dies_while_we_connect_is_lost_not_a_bug(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = world.listener("b")
    a = world.post("a")
    reach = a.exchange._reach

    def reach_and_die(name: str) -> socket.socket:
        connection = reach(name)
        listener.accept()[0].close()
        return connection

    monkeypatch.setattr(a.exchange, "_reach", reach_and_die)
    a.exchange.post("b", b"hello")
    world.driver.until(lambda: bool(a.lost))


def test_a_frame_that_the_kernel_refuses_ends_the_lane_not_only_the_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = world.post("a"), world.post("b")
    lane = a.exchange.post("b", b"fits")
    assert lane is not None
    lane._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    lane.send(bytes(200_000))
    world.driver.until(lambda: bool(a.lost and b.lost))
    assert b.messages == [b"fits"]


def test_a_peer_that_stays_away_is_unreachable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RECONNECT_WINDOW_S", 0.05)
    a = world.post("a")
    assert a.exchange.post("b", b"dropped") is None
    world.driver.until(lambda: bool(a.unreachable))
    b = world.post("b")
    a.exchange.post("b", b"kept")
    world.driver.until(lambda: bool(b.got))
    assert a.unreachable == ["b"]
    assert b.messages == [b"kept"]


def test_messages_wait_while_a_peer_restarts(world: World) -> None:
    a, b = world.post("a"), world.post("b")
    a.exchange.post("b", b"to the first")
    world.driver.until(lambda: bool(b.got))
    world.close(b)
    world.driver.until(lambda: bool(a.lost))
    sent = [str(n).encode() for n in range(20)]
    for message in sent:
        a.exchange.post("b", message)
    again = world.post("b")
    world.driver.until(lambda: bool(again.got))
    a.exchange.post("b", b"behind them")
    world.driver.until(lambda: len(again.got) == 21)
    assert again.messages == [*sent, b"behind them"]
    assert a.reached == ["b"]


def test_waiting_messages_go_out_when_the_peer_connects_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RECONNECT_FIRST_S", 3600.0)
    a = world.post("a")
    a.exchange.post("b", b"waited")
    b = world.post("b")
    b.exchange.post("a", b"here I am")
    world.driver.until(lambda: bool(b.got))
    assert b.messages == [b"waited"]
    assert a.reached == ["b"]


def test_each_waiting_message_is_aged_by_its_own_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RECONNECT_FIRST_S", 3600.0)
    a = world.post("a")
    a.exchange.post("b", b"early")
    a.clock.advance(0.25)
    a.exchange.post("b", b"late")
    a.clock.advance(0.5)
    b = world.post("b")
    b.exchange.post("a", b"here I am")
    world.driver.until(lambda: len(b.got) == 2)
    a.exchange.post("b", b"at once")
    world.driver.until(lambda: len(b.got) == 3)
    assert a.waited_s == [0.75, 0.5]


def test_a_new_incarnation_takes_over_the_name_before_the_old_ones_end_is_read(
    world: World,
) -> None:
    a = world.post("a")
    world.stranger("a", hello("b"))
    world.driver.until(lambda: "b" in a.exchange._by_name)
    old = a.exchange._by_name["b"]
    old.peer = Peer("b", 999_999_999, True)  # Another process, whose EOF is still under way.
    b = world.post("b")
    b.exchange.post("a", b"I am the new one")
    world.driver.until(lambda: bool(a.got))
    assert a.exchange.post("b", b"hello") is not old
    world.driver.until(lambda: bool(b.got))


def test_until_it_is_open_an_exchange_lets_its_peers_wait(world: World) -> None:
    a = world.post("a")
    got: list[bytes] = []
    late = Exchange(
        "late",
        world.directory,
        world.driver.poller,
        received=lambda _lane, message: got.append(message),
        lost=lambda _peer: None,
        reached=lambda _lane: None,
        unreachable=lambda _name: None,
        log=lambda _text: None,
        clock=FakeClock(),
        aged=lambda message, _waited_s: message,
    )
    a.exchange.post("late", b"hello")
    world.driver.turns(10)
    assert got == []
    late.open()
    world.driver.until(lambda: got == [b"hello"])
    late.close()


def test_a_closed_exchange_tries_no_peer_again(world: World) -> None:
    a = world.post("a")
    a.exchange.post("b", b"waits")
    world.close(a)
    b = world.post("b")  # It gets the descriptor of a's directory, too.
    later: list[bool] = []
    world.driver.poller.call_later(0.05, lambda: later.append(True))
    world.driver.until(lambda: bool(later))
    world.driver.turns(5)
    assert b.got == []
    assert a.unreachable == []


def test_reconnecting_leaks_no_descriptor(world: World) -> None:
    a = world.post("a")

    def meet() -> None:
        b = world.post("b")
        a.exchange.post("b", b"hello")
        b.exchange.post("a", b"hello")
        world.driver.until(lambda: bool(b.got))
        world.close(b)
        world.driver.until(lambda: not a.exchange._lanes)

    meet()
    before = open_descriptors()
    for _ in range(20):
        meet()
    assert open_descriptors() == before


# Strangers.


@pytest.mark.parametrize(
    "frames",
    [
        [b"\0a message before hello"],
        [b"\x09"],
        [b"\x02../../etc"],
        [b"\x02"],
        [hello("mallory"), hello("somebody else")],
        [hello("mallory"), b"\x09unknown"],
        [hello("mallory"), b"\0" + bytes(FRAME_BYTES)],
        [hello("mallory"), b"\0" + bytes(2 * FRAME_BYTES)],
    ],
    ids=["no hello", "garbage", "path", "no name", "twice", "unknown", "long", "too long"],
)
def test_who_breaks_the_rules_is_cut_off_and_the_others_go_on(
    world: World, frames: list[bytes]
) -> None:
    a, b = world.post("a"), world.post("b")
    foreign = world.stranger("a", *frames)
    world.driver.until(lambda: world.closed(foreign))
    assert len(a.logged) == 1
    assert a.got == []
    b.exchange.post("a", b"hello")
    world.driver.until(lambda: bool(a.got))


def test_a_message_that_never_ends_is_cut_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loki.actors.frame.MAX_MESSAGE_BYTES", 200_000)
    a = world.post("a")
    foreign = world.stranger("a", hello("mallory"))
    more = bytes((MORE,)) + bytes(60_000)

    def sends_on_until_closed() -> bool:
        try:
            foreign.send(more)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return False

    world.driver.until(sends_on_until_closed)
    assert a.got == []
    assert "above" in a.logged[0]


def test_one_process_cannot_take_all_descriptors(world: World) -> None:
    a = world.post("a")
    greedy = [world.stranger("a") for _ in range(3 * lane_module.LANES_PER_PROCESS)]
    world.driver.until(
        lambda: sum(map(world.closed, greedy)) == len(greedy) - lane_module.LANES_PER_PROCESS
    )
    assert len(a.exchange._lanes) == lane_module.LANES_PER_PROCESS


def in_a_child(action: Callable[[], bool]) -> int:
    """Fork a process that is a child of ours, hence not kin; it ends with the verdict."""
    pid = os.fork()
    if pid == 0:
        verdict = 1
        with contextlib.suppress(BaseException):
            verdict = 0 if action() else 1
        os._exit(verdict)
    return pid


def verdict_of(driver: Driver, pid: int) -> bool:
    ended: list[int] = []

    def has_ended() -> bool:
        waited, status = os.waitpid(pid, os.WNOHANG)
        if waited:
            ended.append(os.waitstatus_to_exitcode(status))
        return bool(waited)

    driver.until(has_ended)
    return ended == [0]


def connect_as(directory: Path, to: str, name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(str(directory / f"{to}.lane"))
    connection.send(hello(name))
    for frame in split(b"message"):
        connection.send(frame)
    return connection


def test_nobody_takes_the_name_of_another(world: World) -> None:
    a, b = world.post("a"), world.post("b")

    def impersonate() -> bool:
        with contextlib.suppress(ConnectionResetError):
            return connect_as(world.directory, "a", "b").recv(10) == b""
        return True

    assert verdict_of(world.driver, in_a_child(impersonate))
    assert a.got == []
    assert "says it is b" in a.logged[0]
    a.exchange.post("b", b"for b only")
    world.driver.until(lambda: b.messages == [b"for b only"])


def test_a_process_of_another_family_may_use_its_own_name(world: World) -> None:
    a = world.post("a")

    def be_myself() -> bool:
        with world.listener("runner-1"):
            return connect_as(world.directory, "a", "runner-1").recv(10) == b"\0welcome"

    a.answer = lambda lane, _message: lane.send(b"welcome")
    assert verdict_of(world.driver, in_a_child(be_myself))
    assert a.got == [("runner-1", b"message")]
    assert not a.lanes[0].peer.kin


def test_the_last_words_of_a_process_that_is_gone_already_are_heard(world: World) -> None:
    a = world.post("a")

    def say_and_die() -> bool:
        with world.listener("runner-1"):
            connect_as(world.directory, "a", "runner-1")
        return True

    pid = in_a_child(say_and_die)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    world.driver.until(lambda: bool(a.lost))
    assert a.got == [("runner-1", b"message")]


def test_a_forked_child_holds_none_of_its_parents_lanes(world: World) -> None:
    """Else EOF would come only after the last fork's end, and be no notice of death."""
    a, b = world.post("a"), world.post("b")
    a.exchange.post("b", b"hello")
    world.driver.until(lambda: bool(b.got))
    read, write = os.pipe()

    def wait_for_the_end() -> bool:
        os.close(write)
        return os.read(read, 1) == b""

    child = in_a_child(wait_for_the_end)
    world.close(a)
    world.driver.until(lambda: bool(b.lost))
    assert os.waitpid(child, os.WNOHANG) == (0, 0)  # It lives, and holds nothing.
    os.close(write)
    os.close(read)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_opens_its_own_exchange_under_its_own_name(world: World) -> None:
    a = world.post("a")

    def live() -> bool:
        own = AsyncioDriver()
        mine = Post("runner-1", world.directory, own)
        mine.exchange.post("a", b"ready")
        own.until(lambda: bool(mine.got))
        return mine.messages == [b"welcome"]

    a.answer = lambda lane, _message: lane.send(b"welcome")
    assert verdict_of(world.driver, in_a_child(live))
