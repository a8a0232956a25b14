"""A fourth child, as anybody may write one: it falls over, blocks and dawdles as it is told."""

from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from pathlib import Path

from pydantic import BaseModel

from loki.child import (
    Child,
    ChildRole,
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    Run,
    RunHandler,
    Shell,
)
from loki.messages.envelope import Done, Message, Request


class Stumble(Request[Done]):
    """Raise what nobody expects, in one of three places."""

    where: str


class Transfer(Request[Done]):
    """Read a file that may take its time, beside the mailbox."""

    path: str


class Block(Request[Done]):
    """Do the same, and let the mailbox wait for it."""

    path: str


class Config(BaseModel):
    """Nothing to set."""


class Clumsy(ChildRole):
    """Serves each call as it should or should not."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._worker = shell.worker("file")

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {Stumble: self._stumble, Transfer: self._transfer, Block: self._block}

    def _stumble(self, request: Stumble, _run: Run) -> "Done | Future[Done]":
        return self._worker.submit(fall) if request.where == "worker" else fall()

    def _transfer(self, request: Transfer, _run: Run) -> "Future[Done]":
        return self._worker.submit(read, request.path)

    def _block(self, request: Block, _run: Run) -> Done:
        return read(request.path)


class ClumsyLoop(ChildRole):
    """The same in an asyncio loop."""

    asynchronous = True

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {Stumble: self._stumble}

    def _stumble(self, _request: Stumble, _run: Run) -> Coroutine[None, None, Done]:
        async def stumble() -> Done:
            return fall()

        return stumble()


def fall() -> Done:
    raise LookupError("a step that is not there")


def read(path: str) -> Done:
    Path(path).read_bytes()
    return Done()


def _function(name: str, request: str, parameter: str) -> LuaFunction:
    taken = LuaParameter(name=parameter, type=LuaType.STRING, doc="As the function says")
    return LuaFunction(name=name, request=request, parameters=(taken,), doc="As its request says.")


FUNCTIONS = (
    _function("stumble", "Stumble", "where"),
    _function("transfer", "Transfer", "path"),
    _function("block", "Block", "path"),
)
CHILD = Child(
    module=LuaModule(name="clumsy", child="clumsy", doc="Clumsy.", functions=FUNCTIONS),
    role="clumsy_actor:Clumsy",
    config="clumsy_actor:Config",
)
