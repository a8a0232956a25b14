"""Whoever can reach the ports of the sealed transport gets no further."""

import os
import pickle
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import transport_actor
from sealed_system import (
    HOST,
    KEY,
    TIMEOUT_S,
    Port,
    Running,
    answer,
    body,
    connected,
    each_port,
    encode,
    frame,
    sent,
)
from thespian.system.messages.admin import QueryExists

from loki.actors.base.seal import HEAD_BYTES, MAX_BODY_BYTES, Seal
from loki.actors.base.transport import MAX_STRANGERS, Packet
from tests.conftest import descendants, ended

ACK = Seal(KEY).control(b"ACK")
DATA_ERROR_START = Seal(KEY).control(b"ACK+DATAERR")[: HEAD_BYTES + 3]


class Exploit:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def stock_frame(marker: Path) -> bytes:
    pickled = pickle.dumps((Exploit(marker), QueryExists()))
    return b"%d>%s" % (len(pickled), pickled)


@each_port
def test_a_stock_frame_runs_nothing(running: Running, port_of: Port, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    assert sent(port_of(running), stock_frame(marker)) == b""
    running.assert_answers()
    assert not marker.exists()


@each_port
def test_a_sealed_pickle_runs_nothing(running: Running, port_of: Port, tmp_path: Path) -> None:
    """Not even for a peer that holds the key."""
    marker = tmp_path / "marker"
    port = port_of(running)
    for pickled in (
        pickle.dumps((Exploit(marker), QueryExists())),
        pickle.dumps(Exploit(marker), 0),
        stock_frame(marker),
    ):
        assert sent(port, frame(port, pickled)) == DATA_ERROR_START
    running.assert_answers()
    assert not marker.exists()


@each_port
def test_another_key_and_any_flipped_byte_are_refused(running: Running, port_of: Port) -> None:
    port = port_of(running)
    good = frame(port, body(Packet(b"count")))
    assert sent(port, frame(port, body(Packet(b"count")), os.urandom(32))) == b""
    for position in range(0, len(good), 7):
        flipped = bytearray(good)
        flipped[position] ^= 0x40
        assert sent(port, bytes(flipped)) in (b"", DATA_ERROR_START)
    running.assert_answers()
    assert running.ask(b"total").data == b"0"


def test_a_replay_is_acknowledged_and_applied_once(running: Running) -> None:
    captured = frame(running.actor_port, body(Packet(b"count")))
    assert sent(running.actor_port, captured) == ACK
    assert sent(running.actor_port, captured) == ACK
    with connected(running.actor_port) as connection:
        for _ in range(3):
            connection.sendall(captured)
            assert answer(connection) == ACK
    assert running.ask(b"total").data == b"1"


def test_a_frame_for_one_process_is_refused_by_all_others(running: Running) -> None:
    other = running.system.createActor(transport_actor.Probe)
    captured = frame(running.actor_port, body(Packet(b"count")))
    assert sent(other.addressDetails.sockname[1], captured) == DATA_ERROR_START
    assert sent(running.admin_port, captured) == DATA_ERROR_START
    assert running.system.ask(other, Packet(b"total"), TIMEOUT_S).data == b"0"
    assert sent(running.actor_port, captured) == ACK


def test_a_frame_from_before_the_process_is_refused(running: Running) -> None:
    """Ports are used again: what was captured for the last process must not reach the next."""
    old = Seal(KEY).message(body(Packet(b"count")), port=running.actor_port, now_ns=1)
    assert sent(running.actor_port, old) == DATA_ERROR_START
    assert running.ask(b"total").data == b"0"


@each_port
def test_an_absurd_length_is_closed_at_once(running: Running, port_of: Port) -> None:
    """Before a byte of the body is there; the connection is not waited on."""
    port = port_of(running)
    assert sent(port, b"999999999999>") == b""
    unsealed = bytearray(frame(port, b"x"))[:HEAD_BYTES]
    unsealed[HEAD_BYTES - 36 : HEAD_BYTES - 32] = (MAX_BODY_BYTES - 1).to_bytes(4, "little")
    assert sent(port, bytes(unsealed)) == b""
    running.assert_answers()


@each_port
def test_acknowledgements_out_of_place_are_refused(running: Running, port_of: Port) -> None:
    port = port_of(running)
    assert sent(port, ACK) == DATA_ERROR_START
    unusual = Seal(KEY)._close(True, port, time.monotonic_ns(), os.urandom(16), b"AB")
    assert sent(port, unusual) == DATA_ERROR_START
    running.assert_answers()


@each_port
@pytest.mark.parametrize(
    "content",
    [
        ["PendingActor", "os.system", None, 1, None, None, None, []],
        ["PendingActor", "subprocess.Popen", None, 1, None, None, None, []],
        ["PendingActor", "transport_actor.Stillborn", None, 1, None, None, None, []],
        ["PendingActor", transport_actor.NAME, None, 1, None, None, "a source", []],
        ["LoggerFileDup", "/tmp/never"],
        ["ValidateSource", "hash", b"zip"],
        ["ChildActorExited", ["192.0.2.1", 80]],
        ["EndpointConnected", "zero"],
        ["ActorExitRequest", {}],
    ],
    ids=lambda c: f"{c[0]}-{c[1]}",
)
def test_a_peer_with_the_key_cannot_abuse_what_is_admitted(
    running: Running, port_of: Port, content: list[Any]
) -> None:
    before = descendants(os.getpid())
    port = port_of(running)
    assert sent(port, frame(port, encode([[HOST, 9], content]))) == DATA_ERROR_START
    assert descendants(os.getpid()) == before
    running.assert_answers()


def test_silent_connections_are_few(running: Running) -> None:
    """The oldest strangers make room; who holds the key is served meanwhile."""
    strangers = [connected(running.admin_port) for _ in range(MAX_STRANGERS + 20)]
    try:
        running.assert_answers()
        for closed in strangers[:20]:
            assert answer(closed) == b""
        strangers[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            strangers[-1].recv(1)
    finally:
        for connection in strangers:
            connection.close()


def test_a_frame_that_drips_in_is_served(running: Running) -> None:
    whole = frame(running.actor_port, body(Packet(b"count")))
    with connected(running.actor_port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in whole:
            connection.sendall(bytes((byte,)))
        assert answer(connection) == ACK
    assert running.ask(b"total").data == b"1"


def test_a_second_frame_behind_the_first_is_not_lost_silently(running: Running) -> None:
    """Out of step: the first is served, the second gets no acknowledgement."""
    port = running.actor_port
    two = frame(port, body(Packet(b"count"))) + frame(port, body(Packet(b"count")))
    with connected(port) as connection:
        connection.sendall(two)
        assert answer(connection, 2 * len(ACK)) == ACK
    assert running.ask(b"total").data == b"1"


@pytest.mark.parametrize(
    "reply",
    [lambda f: f, lambda _: b"3>ACK", lambda f: f[:-1] + b"!", lambda _: b""],
    ids=["echo", "stock", "flipped", "close"],
)
def test_who_takes_over_a_dead_actors_port_gets_no_further(
    running: Running, reply: Callable[[bytes], bytes]
) -> None:
    before = descendants(os.getpid())
    dead = running.system.createActor(transport_actor.Probe)
    (pid,) = descendants(os.getpid()) - before
    os.kill(pid, signal.SIGKILL)
    assert ended(pid, TIMEOUT_S)
    with socket.socket() as thief, ThreadPoolExecutor(1) as thread:
        thief.settimeout(TIMEOUT_S)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind((HOST, dead.addressDetails.sockname[1]))
        thief.listen()
        stolen = thread.submit(reply_once, thief, reply)
        assert running.system.ask(dead, Packet(b"echo x"), 0.3) is None
        assert b"echo x" in stolen.result()
        running.assert_answers()


def reply_once(thief: socket.socket, reply: Callable[[bytes], bytes]) -> bytes:
    connection, _ = thief.accept()
    with connection:
        received = connection.recv(65536)
        connection.sendall(reply(received))
        return received
