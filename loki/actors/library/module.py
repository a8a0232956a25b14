"""Lua modules between the Library, which reads and compiles them, and runners, which keep them."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import Executor

import msgspec

from loki.actors.door.role import Context, Shell
from loki.core.run.engine import Engine
from loki.core.runner.chunk_cache import Lru
from loki.errors import CompilationError
from loki.messages.engine import ChunkCacheStatistics
from loki.messages.envelope import Failure
from loki.messages.module import (
    CompiledModule,
    DescribeModules,
    LoadModule,
    ModuleLoaded,
    ModulesDescribed,
)
from loki.messages.script import Script
from loki.messages.value import NIL
from loki.tool.module import ModuleFolder, ModuleSource

LIBRARY = "library"
MOST_MODULES = 100

_encode = msgspec.msgpack.Encoder().encode
_modules = msgspec.msgpack.Decoder(CompiledModule)


class ModuleShelf:
    """The Library's side: each content is compiled once."""

    def __init__(self, folder: ModuleFolder, engine: Engine, worker: Executor) -> None:
        """`worker` reads the files."""
        self._folder = folder
        self._engine = engine
        self._worker = worker
        self._packed: Lru[bytes] = Lru(MOST_MODULES)  # By digest.
        self._hits = self._misses = self._evictions = self._compiles = 0

    def look_in(self, folder: ModuleFolder) -> None:
        """From now on."""
        self._folder = folder

    async def load(self, request: LoadModule, _context: Context) -> ModuleLoaded:
        """Raises: LokiError for a module that is not there, or that Lua refuses."""
        loop = asyncio.get_running_loop()
        source = await loop.run_in_executor(self._worker, self._folder.read, request.name)
        digest = hashlib.sha256(f"{source.file}\0{source.text}".encode()).hexdigest()[:16]
        if digest == request.held:
            self._hits += 1
            return ModuleLoaded(digest=digest, module=NIL)
        self._misses += 1
        packed = self._packed.get(digest)
        if packed is None:
            packed = self._compiled(source)
            self._evictions += self._packed.put(digest, packed, len(packed))
        return ModuleLoaded(digest=digest, module=msgspec.Raw(packed))

    def describe(self, _request: DescribeModules, _context: Context) -> ModulesDescribed:
        statistics = ChunkCacheStatistics(
            entries=len(self._packed),
            capacity=MOST_MODULES,
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
            compiles=self._compiles,
        )
        return ModulesDescribed(statistics=statistics)

    def _compiled(self, source: ModuleSource) -> bytes:
        try:
            bytecode = self._engine.compile(
                Script(name="module", source=source.text, chunk=source.file)
            )
        except CompilationError as error:
            first = error.message.partition("\n")[0]
            details = {**error.details, "file": source.file}
            raise CompilationError(first, details=details) from error
        self._compiles += 1
        return _encode(CompiledModule(file=source.file, source=source.text, bytecode=bytecode))


class ModuleStock:
    """A runner's side: it asks for each module that a run requires, and keeps what it got."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._held: Lru[tuple[str, CompiledModule]] = Lru(MOST_MODULES)  # By name.

    def load(
        self,
        name: str,
        then: Callable[[CompiledModule | Failure], None],
        *,
        timeout_s: float,
        run: str,
    ) -> None:
        """`then` gets the module as it is now, or why there is none."""
        held = self._held.get(name)

        def loaded(reply: ModuleLoaded | Failure) -> None:
            if isinstance(reply, Failure):
                then(reply)
            elif held is not None and held[0] == reply.digest:
                then(held[1])
            else:
                module = _modules.decode(reply.module)
                self._held.put(name, (reply.digest, module), len(reply.module))
                then(module)

        request = LoadModule(name=name, held=held[0] if held else "")
        self._shell.request(LIBRARY, request, loaded, timeout_s=timeout_s, run=run)
