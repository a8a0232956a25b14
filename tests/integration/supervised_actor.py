"""A small role that notes in a file what becomes of it; imported in the actors' own processes."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import msgspec

from loki.actors.door.role import Context, Handler, Role, Shell
from loki.errors import LokiError
from loki.messages.envelope import Done, Failure, Message, Request
from loki.messages.supervision import StopActor


class Die(Message):
    how: str  # "crash", or what it shall say: "normal", "shutdown".


class Told(Message):
    text: str


class AskToStop(Request[Told]):
    """Ask that supervisor to stop one of its children; answered with what it says."""

    supervisor: str
    name: str


class Worker(Role):
    """Starts unless `break-NAME` counts above 0, and stops unless there is `stubborn-NAME`."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._folder = Path(msgspec.msgpack.decode(config, type=str))
        broken = self._folder / f"break-{shell.name}"
        left = int(broken.read_text()) if broken.exists() else 0
        if left:
            broken.write_text(str(left - 1))
            self._note("fail")
            raise LokiError("broken")
        self._note("start")

    def _note(self, what: str) -> None:
        """One write of one line: those of others do not get in between."""
        line = f"{what}:{self.shell.name}\n".encode()
        notes = os.open(self._folder / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(notes, line)
        os.close(notes)

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {Die: self._die, AskToStop: self._ask}

    def _ask(self, message: AskToStop, _context: Context) -> Future[Told]:
        answer: Future[Told] = Future()

        def then(reply: Done | Failure) -> None:
            text = reply.message if isinstance(reply, Failure) else "done"
            answer.set_result(Told(text=text))

        self.shell.request(message.supervisor, StopActor(name=message.name), then, timeout_s=30.0)
        return answer

    def _die(self, message: Die, _context: Context) -> None:
        if message.how == "crash":
            raise ValueError("broken")
        self.shell.end(message.how)

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        self._note("stop")
        if not (self._folder / f"stubborn-{self.shell.name}").exists():
            done()
