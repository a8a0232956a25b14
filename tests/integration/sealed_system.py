"""A small system on the sealed transport, and a stranger who speaks to its ports."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import transport_actor
from thespian.actors import ActorAddress, ActorSystem
from thespian.system.transport.IPBase import TCPv4ActorAddress

from loki.actors.base import transport
from loki.actors.base.seal import HEAD_BYTES, Seal
from loki.actors.base.transport import Packet
from loki.actors.base.wire import Wire

KEY = os.urandom(32)
HOST = "127.0.0.1"
TIMEOUT_S = 10
encode = msgspec.msgpack.encode


@dataclass
class Running:
    """A system with one actor, and how to reach both from outside."""

    system: Any
    admin_port: int
    actor: ActorAddress

    @property
    def actor_port(self) -> int:
        port: int = self.actor.addressDetails.sockname[1]
        return port

    def ask(self, data: bytes) -> Any:
        return self.system.ask(self.actor, Packet(data), TIMEOUT_S)

    def assert_answers(self) -> None:
        """The actor answers, and the Admin still creates."""
        assert self.ask(b"echo hello").data == b"hello"
        another = self.system.createActor(transport_actor.Probe)
        assert self.system.ask(another, Packet(b"echo new"), TIMEOUT_S).data == b"new"


@contextmanager
def booted() -> Iterator[Running]:
    base = transport.install(KEY, creatable=[transport_actor.NAME])
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        admin_port: int = probe.getsockname()[1]
    system = ActorSystem(base, {"Admin Port": admin_port}, transientUnique=True)
    try:
        actor = system.createActor(transport_actor.Probe)
        yield Running(system, admin_port, actor)
    finally:
        system.shutdown()


Port = Callable[[Running], int]
each_port = pytest.mark.parametrize(
    "port_of", [lambda r: r.admin_port, lambda r: r.actor_port], ids=["admin", "actor"]
)


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), TIMEOUT_S)


def answer(connection: socket.socket, size: int = HEAD_BYTES + 3) -> bytes:
    """What comes back, up to `size` bytes or until the other side closes."""
    data = b""
    try:
        while len(data) < size and (more := connection.recv(size - len(data))):
            data += more
    except ConnectionResetError:
        pass
    return data


def sent(port: int, frame: bytes) -> bytes:
    with connected(port) as connection:
        connection.sendall(frame)
        return answer(connection)


def body(message: object) -> bytes:
    sender = ActorAddress(TCPv4ActorAddress(HOST, 9))
    return Wire(HOST, ()).encode(sender, message)


def frame(port: int, content: bytes, key: bytes = KEY) -> bytes:
    return Seal(key).message(content, port=port, now_ns=time.monotonic_ns())
