"""Libraries one after the other on the same state, a keeper with real tables, and a fake root."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS
from hel_actor.system import number, revision

from loki.actors.door.role import Context
from loki.actors.library.library import Library
from loki.errors import ServiceUnavailable
from loki.messages.envelope import Done, Message, Request
from loki.messages.event import EventHappened
from loki.messages.field_number import ForgetNumbers, KeepNumbers, ReadNumbers
from loki.messages.interface import PublishInterfaces
from loki.messages.library import LibraryConfig, LibraryReport, PublishScripts, RegisterScript
from loki.messages.registry import (
    DropScript,
    KeepScript,
    ReadRevision,
    ReadRevisions,
    ReadScripts,
    RevisionRead,
    StoredScript,
)
from loki.messages.value import pack
from tests.unit.loki.conftest import FakeShell

FILE = """
[[tools]]
name = "from_file"
return_type = "integer"
script = { inline = "return 1" }
"""
KIN = Context(peer="gateway", peer_pid=1, kin=True, run="", trace="", deadline_s=None)
RUNNER = Context(peer="runner-1", peer_pid=2, kin=False, run="", trace="", deadline_s=None)


class Keeper:
    """What Hel does, at once: its own tables in memory."""

    def __init__(self) -> None:
        self.most_revisions = 100
        self.away = False
        self.renew()

    def renew(self) -> None:
        """Another database, as after a backup was restored; there is nothing in it."""
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        migrate(self.connection, MIGRATIONS)

    def answers(self) -> dict[type[Message], Callable[[Any], Message]]:
        return {
            ReadScripts: lambda r: revision.read_all(self._there(), r.page),
            KeepScript: lambda r: revision.keep(self._there(), r, self.most_revisions) or Done(),
            DropScript: lambda r: revision.drop(self._there(), r, 100) or Done(),
            ReadRevisions: self._page,
            ReadRevision: self._one,
            KeepNumbers: lambda r: number.keep(self._there(), r) or Done(),
            ForgetNumbers: lambda r: number.forget(self._there(), r),
            ReadNumbers: lambda r: number.read_page(self._there(), r),
        }

    def _there(self) -> sqlite3.Connection:
        if self.away:
            raise ServiceUnavailable("hel is not there")
        return self.connection

    def _page(self, request: ReadRevisions) -> Message:
        before = revision.checked_page(request.page)
        return revision.page_of(self._there(), request, before)

    def _one(self, request: ReadRevision) -> Message:
        found = revision.read_one(self._there(), request.name, request.revision)
        return RevisionRead(script=found) if isinstance(found, StoredScript) else found

    def names(self) -> list[str]:
        return [script.name for script in revision.read_all(self.connection, "").scripts]


class Timer:
    def __init__(self, delay_s: float, action: Callable[[], None]) -> None:
        self.delay_s = delay_s
        self.action = action

    def cancel(self) -> None:
        self.action = lambda: None


class Shell(FakeShell):
    """With one thread for blocking work, and timers that the test fires."""

    name = "library"

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self.threads = ThreadPoolExecutor(1)
        self.timers: list[Timer] = []
        self.minded: list[asyncio.Task[Any]] = []
        self.held: asyncio.Event | None = None  # While there is one, the keeper's answers wait.
        self.answers[PublishScripts] = lambda _message: Done()
        self.answers[PublishInterfaces] = lambda _message: Done()
        self.answers |= keeper.answers()

    def worker(self, name: str) -> Executor:
        return self.threads

    async def ask(
        self, peer: str, request: Request[Any], *, timeout_s: float, run: str = ""
    ) -> Any:
        if peer == "hel" and self.held is not None:
            await self.held.wait()
        await asyncio.sleep(0)
        return await super().ask(peer, request, timeout_s=timeout_s)

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        self.timers.append(Timer(delay_s, action))
        return self.timers[-1]

    def mind(self, promise: "asyncio.Task[Any]") -> None:
        self.minded.append(promise)

    async def pass_time(self) -> list[float]:
        """Fire all timers and let what they began end; how long the timers would have taken."""
        due, self.timers = self.timers, []
        for timer in due:
            timer.action()
        await self.settle()
        return [timer.delay_s for timer in due]

    async def settle(self) -> None:
        """Let all end that was begun, whatever it begins."""
        while pending := [task for task in self.minded if not task.done()]:
            await asyncio.wait(pending)
        for task in self.minded:
            task.result()


class Shelf:
    """What outlives a Library: files, the keeper, what others heard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = folder / "tools.toml"
        self.state = folder / "state"
        self.state.mkdir()
        self.keeper = Keeper()
        self.shell = Shell(self.keeper)
        self.keeper_name = "hel"

    def open(self, test: Callable[[Library], Coroutine[Any, Any, None]]) -> LibraryReport:
        """Begin, test; what it said when it was ready."""
        config = LibraryConfig(
            tools=str(self.tools),
            tools_named=False,
            script_storage_path=str(self.folder),
            state_dir=str(self.state),
            modules=(),
            keeper=self.keeper_name,
        )

        async def live() -> LibraryReport:
            library = Library(self.shell, msgspec.msgpack.encode(config))
            await library.begin()
            report = msgspec.json.decode(library.detail, type=LibraryReport)
            await test(library)
            await self.shell.settle()
            return report

        return asyncio.run(live())

    def told(self) -> list[Any]:
        """What the root heard."""
        return [message.fact for _, message, _ in self.shell.sent(EventHappened)]

    def published(self) -> list[PublishScripts]:
        return [message for _, message, _ in self.shell.sent(PublishScripts)]

    def shown(self) -> list[PublishInterfaces]:
        """What the Gateway heard."""
        return [message for _, message, _ in self.shell.sent(PublishInterfaces)]


async def nothing(_library: Library) -> None:
    """A test that wants to know what is said at the start."""


def definition(name: str, source: str = "return 2") -> dict[str, Any]:
    return {"name": name, "return_type": "integer", "script": {"inline": source}}


async def ask(library: Library, request: Message, context: Context = KIN) -> Any:
    answer = library.handlers()[type(request)](request, context)
    return await answer if asyncio.iscoroutine(answer) else answer


async def register(library: Library, name: str, source: str = "return 2", **more: Any) -> Any:
    body = pack(definition(name, source))
    return await ask(library, RegisterScript(definition=body, **{"principal": "local"} | more))
