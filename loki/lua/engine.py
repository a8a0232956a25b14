"""Lua 5.4 behind the engine port."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from loki.core.run.engine import Session
from loki.errors import CompilationError
from loki.lua.bindings import Bindings
from loki.lua.hint import compile_hint, explained, line_of
from loki.lua.place import line_in
from loki.lua.sandbox import VERSION, Sandbox
from loki.lua.script import LuaSession, chunk_name, source_of
from loki.messages.lua_module import LuaModule
from loki.messages.script import Script

MAX_SOURCE_BYTES = 1024 * 1024


class LuaEngine:
    """Runs Lua 5.4 scripts, each in a sealed state of its own."""

    language = "lua"
    version = VERSION

    def __init__(self, modules: tuple[LuaModule, ...]) -> None:
        """`modules` are what the children offer to scripts."""
        self._bindings = Bindings(modules)
        self._services = tuple(self._bindings.services())

    def validate(self, script: Script) -> None:
        """Compile, never execute. Raises: CompilationError with `details["line"]`."""
        self.compile(script)

    def compile(self, script: Script) -> bytes:
        """Bytecode with line numbers. Raises: CompilationError."""
        with self.compiling() as compile_one:
            return compile_one(script)

    @contextmanager
    def compiling(self) -> Iterator[Callable[[Script], bytes]]:
        """`compile` for many: a fresh state for each takes several times as long as its script.

        What is compiled does not run, so none leaves anything to the next one.
        """
        sandbox = Sandbox(self._services)
        try:
            yield partial(_compile, sandbox)
        finally:
            sandbox.close()

    def prepare(self) -> Session:
        """A fresh state, built ahead of the run that will use it."""
        return LuaSession(Sandbox(self._services), self._bindings)


def _compile(sandbox: Sandbox, script: Script) -> bytes:
    source = source_of(script)
    chunk = chunk_name(script.chunk)
    if len(source) > MAX_SOURCE_BYTES:
        raise CompilationError(
            f"{chunk}: the source is larger than {MAX_SOURCE_BYTES // 1024} KiB",
            details={"line": "0"},
        )
    bytecode, message = sandbox.compile(source, b"@" + chunk.encode())
    if bytecode is None:
        raise _refusal(message.decode(errors="replace"), script.source, chunk)
    return bytecode


def _refusal(message: str, source: str, chunk: str) -> CompilationError:
    line = line_in(message, chunk)
    told = explained(message, compile_hint(message, source, line), line_of(source, line))
    shown = f"\n    {told.details['source_line']}" if "source_line" in told.details else ""
    return CompilationError(told.message + shown, details={"line": str(line), **told.details})
