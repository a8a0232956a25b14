"""Everybody who has lanes in one test, on an asyncio loop or inside a Thespian select."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from loki.actors.base.selector import LOOP, LaneSelector
from loki.actors.door.frame import FRAME_BYTES
from loki.actors.door.lane import Exchange, Lane
from loki.actors.door.peer import Peer
from loki.actors.door.poller import Poller
from loki.clock import FakeClock
from loki.errors import ResourceLimitExceeded

PATIENCE_S = 30.0


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


# Bounds.


def flood(post: Post, peer: str, message: bytes) -> int:
    """Send until it is refused; how many were accepted."""
    for accepted in range(1_000_000):
        try:
            post.exchange.post(peer, message)
        except ResourceLimitExceeded:
            return accepted
    raise AssertionError("the outbox has no bound")
