"""All lanes of an actor: peers that are away, that restart, that say they are somebody else."""

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from loki.actors.door import lane as lane_module
from loki.actors.door.frame import MAX_MESSAGE_BYTES, FrameError, hello, split
from loki.actors.door.lane import Exchange, PeerAway
from loki.actors.door.peer import Peer, is_kin, parent_of
from loki.clock import FakeClock
from tests.unit.loki.actors.door.world import AsyncioDriver, Driver, Post, World, flood


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


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


def test_who_does_not_wait_hears_at_once_that_a_peer_is_away(world: World) -> None:
    a = world.post("a")
    with pytest.raises(PeerAway):
        a.exchange.deliver("b", b"dropped")
    b = world.post("b")
    a.exchange.deliver("b", b"kept")
    world.driver.until(lambda: bool(b.got))
    assert b.messages == [b"kept"]


@pytest.mark.parametrize("size", [10, 200_000])
def test_who_does_not_wait_hears_of_a_death_that_nobody_has_noticed(
    world: World, size: int
) -> None:
    a, b = world.post("a"), world.post("b")
    a.exchange.deliver("b", b"first")
    world.driver.until(lambda: bool(b.got))
    world.close(b)
    with pytest.raises(PeerAway):
        a.exchange.deliver("b", bytes(size))
    again = world.post("b")
    world.driver.until(lambda: bool(a.lost))
    a.exchange.deliver("b", b"second")
    world.driver.until(lambda: bool(again.got))
    assert again.messages == [b"second"]


def test_nobody_overtakes_what_waits_for_the_same_peer(world: World) -> None:
    a = world.post("a")
    a.exchange.post("b", b"first")
    b = world.post("b")
    with pytest.raises(PeerAway):
        a.exchange.deliver("b", b"second")
    world.driver.until(lambda: bool(b.got))
    assert b.messages == [b"first"]


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
    assert open_descriptors() <= before


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
