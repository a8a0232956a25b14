"""Doors in one loop, for the tests of the door: a client asks, a server answers as told."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from loki.actors.door.door import Door
from loki.actors.door.role import Answer, Context, Handler, Role
from loki.clock import FakeClock
from loki.messages.envelope import Change, Done, Message, Request
from loki.messages.lifecycle import Ping

LONG_S = 60.0


class Sum(Message):
    total: int


class Add(Request[Sum]):
    left: int
    right: int


class Note(Message):
    text: str


class Move(Change[Done]):
    pass


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
        return {Add: self._serve, Move: self._serve, Note: self._serve}

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
