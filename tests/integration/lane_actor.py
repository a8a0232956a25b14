"""Small roles for `test_lanes`, imported by name in the actors' own processes."""

import os
import signal
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
from thespian.actors import ActorAddress

from loki.actors.base.shell import ParentRole, ShellActor
from loki.actors.base.transport import Packet
from loki.actors.door.role import Answer, Context, Handler, Role, Shell
from loki.actors.door.run_directory import RunDirectory
from loki.messages.envelope import Done, Failure, Message, Request
from loki.messages.lifecycle import ROOT, Boot, Ready


class Seen(Message):
    """How a request looked to who served it."""

    text: str
    pid: int
    peer: str
    peer_pid: int
    kin: bool


class Echo(Request[Seen]):
    text: str = ""


class AskFor(Request[Seen]):
    """Ask somebody else on my behalf."""

    peer: str


class Spawn(Request[Seen]):
    """Create a child of yours; answered when it is ready."""

    name: str


class Hang(Message):
    """Never read anything again."""


class DieOnASilentLane(Message):
    """End as one that was killed when it had opened a lane, and had not said whose it is."""


class Flood(Request[Done]):
    """Keep so many Thespian messages going to and fro between you and your first child."""

    in_flight: int


class Counted(Message):
    messages: int


class CountThespian(Request[Counted]):
    pass


def seen(message: Any, context: Context) -> Seen:
    return Seen(
        text=getattr(message, "text", ""),
        pid=os.getpid(),
        peer=context.peer,
        peer_pid=context.peer_pid,
        kin=context.kin,
    )


class ThespianTraffic:
    """Counts the Thespian messages of this process, and returns each to its sender."""

    def __init__(self) -> None:
        self.count = 0
        receive = ShellActor.receiveMessage

        def counted(actor: ShellActor, message: Any, sender: ActorAddress) -> None:
            if isinstance(message, Packet) and message.data == b"flood":
                self.count += 1
                actor.send(sender, Packet(b"flood"))
            else:
                receive(actor, message, sender)

        ShellActor.receiveMessage = counted  # type: ignore[method-assign]


class Server(Role):
    """Answers, asks others, hangs."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self.traffic = ThespianTraffic()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            Echo: seen,
            AskFor: self._ask,
            Hang: self._hang,
            DieOnASilentLane: self._die,
            CountThespian: self._count,
        }

    def _die(self, _message: DieOnASilentLane, _context: Context) -> None:
        run_dir = Path(msgspec.msgpack.decode(self.config, type=str))
        with RunDirectory(run_dir).reach(ROOT):
            os.kill(os.getpid(), signal.SIGKILL)

    def _ask(self, message: AskFor, _context: Context) -> Answer:
        answer: Future[Message] = Future()

        def then(reply: Message) -> None:
            if isinstance(reply, Failure):
                answer.set_exception(reply.error())
            else:
                answer.set_result(reply)

        self.shell.request(message.peer, Echo(), then, timeout_s=30)
        return answer

    def _hang(self, _message: Hang, _context: Context) -> None:
        while True:
            time.sleep(3600)

    def _count(self, _message: CountThespian, _context: Context) -> Counted:
        return Counted(messages=self.traffic.count)


class AsyncServer(Role):
    asynchronous = True

    async def begin(self) -> None:
        self.detail = "127.0.0.1:1"

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {Echo: self._echo}

    async def _echo(self, message: Echo, context: Context) -> Message:
        return seen(message, context)


class Keeper(ParentRole, Server):
    """Has children of its own, as the Dispatcher has runners."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._waiting: dict[str, Future[Message]] = {}
        self.exits: list[str] = []
        self._run_dir = msgspec.msgpack.decode(config, type=str)

    def handlers(self) -> Mapping[type[Message], Handler]:
        own = {Spawn: self._spawn, Ready: self._ready, Flood: self._flood, ListExits: self._list}
        return {**super().handlers(), **own}

    def _spawn(self, message: Spawn, _context: Context) -> Answer:
        self._waiting[message.name] = Future()
        boot = Boot(
            name=message.name,
            parent=self.shell.name,
            role="lane_actor:Server",
            incarnation=1,
            run_dir=self._run_dir,
            config=msgspec.Raw(b"\xc0"),
        )
        self.family.spawn(boot)
        return self._waiting[message.name]

    def _ready(self, ready: Ready, context: Context) -> None:
        self._waiting[ready.name].set_result(seen(ready, context))

    def child_exited(self, name: str, incarnation: int, reason: str) -> None:
        self.exits.append(name)

    def _list(self, _message: "ListExits", _context: Context) -> "Exits":
        return Exits(names=tuple(self.exits))

    def _flood(self, message: Flood, _context: Context) -> Done:
        def begin() -> None:
            from loki.actors.base.selector import LOOP

            address = self.family._actor._myRef._child_procs[0].childAddr
            for _ in range(message.in_flight):
                self.family._actor.send(address, Packet(b"flood"))
            LOOP.used_thespian = True

        self.shell.later(0, begin)
        return Done()


class Exits(Message):
    names: tuple[str, ...]


class ListExits(Request[Exits]):
    pass


class Refuses(Role):
    """Cannot start, and says why."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        raise ValueError("no such bus")


class Vanishes(Role):
    """Dies before it has a lane to anybody."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class HangsAtStart(Role):
    def __init__(self, shell: Shell, config: bytes) -> None:
        while True:
            time.sleep(3600)
