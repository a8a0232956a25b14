"""Modules between Library and runners: each content is compiled once and sent once."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from loki.actors.door.role import Context
from loki.actors.library.module import ModuleShelf, ModuleStock
from loki.core.run.engine import Finished
from loki.core.run.fake_engine import FakeEngine
from loki.errors import CompilationError, ErrorCode
from loki.messages.envelope import Failure
from loki.messages.module import CompiledModule, DescribeModules, LoadModule, ModuleLoaded
from loki.messages.script import Script
from loki.messages.value import NIL
from loki.tool.module import ModuleFolder
from tests.unit.loki.conftest import FakeShell

RUNNER = Context(peer="runner-1", peer_pid=2, kin=False, run="r", trace="", deadline_s=None)


class Counting(FakeEngine):
    compiled = 0

    def compile(self, script: Script) -> bytes:
        self.compiled += 1
        return super().compile(script)


class Desk:
    """A Library's shelf and a runner's stock, with nothing between them."""

    def __init__(self, folder: Path, threads: ThreadPoolExecutor) -> None:
        self.folder = folder
        self.engine = Counting({"one": (Finished(1),), "two": (Finished(2),)})
        modules = ModuleFolder(folder, tools=folder / "tools.toml", closed=folder / "state")
        self.shelf = ModuleShelf(modules, self.engine, threads)
        shell = FakeShell()
        shell.answers[LoadModule] = self._answer
        self.stock = ModuleStock(shell)
        self.sent: list[ModuleLoaded | Failure] = []

    def _answer(self, request: LoadModule) -> ModuleLoaded | Failure:
        try:
            reply: ModuleLoaded | Failure = asyncio.run(self.shelf.load(request, RUNNER))
        except CompilationError as error:
            reply = Failure.of(error)
        self.sent.append(reply)
        return reply

    def load(self, name: str) -> CompiledModule | Failure:
        got: list[CompiledModule | Failure] = []
        self.stock.load(name, got.append, timeout_s=1, run="r")
        (module,) = got
        return module

    def write(self, text: str) -> None:
        (self.folder / "m.lua").write_text(text)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ThreadPoolExecutor(1) as threads:
        yield Desk(tmp_path, threads)


def test_s_11_1_1_what_a_runner_holds_is_neither_sent_nor_compiled_again(desk: Desk) -> None:
    desk.write("one")
    module = CompiledModule(file="m.lua", source="one", bytecode=b"one")
    assert [desk.load("m"), desk.load("m")] == [module, module]
    assert [bytes(reply.module) == bytes(NIL) for reply in desk.sent] == [False, True]
    assert desk.engine.compiled == 1


def test_s_11_1_2_the_very_next_run_has_the_edit(desk: Desk) -> None:
    for text in ("one", "two", "one"):
        desk.write(text)
        module = desk.load("m")
        assert isinstance(module, CompiledModule)
        assert module.source == text
    assert desk.engine.compiled == 2


def test_what_does_not_compile_names_its_file(desk: Desk) -> None:
    desk.write("three")
    failure = desk.load("m")
    assert isinstance(failure, Failure)
    assert failure.code is ErrorCode.SCRIPT_INVALID
    assert failure.message == "m.lua:1: no steps"
    assert failure.details == {"line": "1", "file": "m.lua"}
    assert msgspec.msgpack.encode(failure)


def test_every_require_is_a_hit_or_a_miss_and_compilations_are_counted(desk: Desk) -> None:
    for text in ("one", "one", "two", "one", "three"):
        desk.write(text)
        desk.load("m")
    described = desk.shelf.describe(DescribeModules(), RUNNER).statistics
    assert (described.hits, described.misses, described.compiles) == (1, 4, 2)
    assert (described.entries, described.capacity, described.evictions) == (2, 100, 0)
