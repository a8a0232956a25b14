"""One lane: order, sizes, bounds, and what its end tells."""

import os
import socket

import pytest

from loki.actors.door import lane as lane_module
from loki.actors.door.frame import FRAME_BYTES, MORE, hello
from loki.actors.door.peer import Peer
from loki.errors import ErrorCode, ResourceLimitExceeded
from tests.unit.loki.actors.door.world import World, flood

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


def test_the_end_of_a_process_that_never_said_its_name_is_told(world: World) -> None:
    a = world.post("a")
    silent = world.stranger("a")
    world.driver.until(lambda: a.exchange.hears(os.getpid()))
    silent.close()
    world.driver.until(lambda: bool(a.lost))
    assert [(peer.name, peer.pid) for peer in a.lost] == [("", os.getpid())]
    assert not a.exchange.hears(os.getpid())


@pytest.mark.parametrize("names", [["b"], ["b", "c"]])
def test_the_end_is_told_though_the_last_lane_never_said_its_name(
    world: World, names: list[str]
) -> None:
    a = world.post("a")
    named = [world.stranger("a", hello(name)) for name in names]
    world.driver.until(lambda: a.exchange._by_name.keys() == set(names))
    silent = world.stranger("a")
    world.driver.until(lambda: len(a.exchange._lanes) == len(names) + 1)
    for each in named:
        each.close()
    world.driver.until(lambda: len(a.exchange._lanes) == 1)
    assert a.lost == []
    silent.close()
    world.driver.until(lambda: bool(a.lost))
    world.driver.turns(5)
    assert [peer.name for peer in a.lost] == names


def test_a_lane_without_a_name_ends_nothing_while_another_is_there(world: World) -> None:
    a = world.post("a")
    world.stranger("a", hello("b"))
    silent = world.stranger("a")
    world.driver.until(lambda: len(a.exchange._lanes) == 2 and len(a.exchange._by_name) == 1)
    silent.close()
    world.driver.until(lambda: len(a.exchange._lanes) == 1)
    world.driver.turns(5)
    assert a.lost == []


def test_a_lane_that_says_another_name_leaves_no_doubt(world: World) -> None:
    a = world.post("a")
    first = world.stranger("a", hello("b"))
    second = world.stranger("a")
    world.driver.until(lambda: len(a.exchange._lanes) == 2 and len(a.exchange._by_name) == 1)
    first.close()
    world.driver.until(lambda: len(a.exchange._lanes) == 1)
    second.send(hello("c"))
    world.driver.until(lambda: bool(a.lost))
    assert [peer.name for peer in a.lost] == ["b"]


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
    reach = a.exchange.directory.reach

    def reach_and_die(name: str) -> socket.socket:
        connection = reach(name)
        listener.accept()[0].close()
        return connection

    monkeypatch.setattr(a.exchange.directory, "reach", reach_and_die)
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
    monkeypatch.setattr("loki.actors.door.frame.MAX_MESSAGE_BYTES", 200_000)
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
