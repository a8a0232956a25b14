"""One sealed Lua state: the prelude inside, and the five entry points that the host may call.

Two rules keep the host alive when a script sits at its memory limit, where any allocation that
Lua makes outside of a protected call aborts the process: data enters only while the limit is
lifted, and `go`, the one call that runs under it, takes a number and gives back flat strings and
numbers. No Python object ever enters Lua.
"""

import os
import struct
import sys
from collections.abc import Iterable
from typing import Any, NoReturn, TypeAlias

from lupa import lua54

from loki.lua.prelude import bytecode

Flat: TypeAlias = tuple[Any, ...]
"""Bytes, numbers, booleans and None; their order is that of prelude.lua."""

VERSION = ".".join(map(str, lua54.LUA_VERSION))
LuaFailure = lua54.LuaError
LuaOutOfMemory = lua54.LuaMemoryError


def _deny(*_: object) -> NoReturn:
    raise AttributeError("no attribute of a host object is visible in Lua")


def _runtime() -> lua54.LuaRuntime:
    return lua54.LuaRuntime(
        encoding=None,
        source_encoding="utf-8",
        register_eval=False,
        register_builtins=False,
        attribute_handlers=(_deny, _deny),
        unpack_returned_tuples=True,
        max_memory=0,
    )


def warm_up() -> None:
    """Compile the prelude now, so that processes forked from this one need not."""
    bytecode()


class Sandbox:
    """A fresh Lua state. Used by one thread at a time, except `memory_bytes`."""

    def __init__(self, services: Iterable[bytes]) -> None:
        """`services` are the functions of `loki`, then name and functions of each child.

        Functions are given as one string, each name with a space before and after it.
        """
        self._runtime = _runtime()
        entries = self._runtime.execute(bytecode(), *services, name=b"=prelude", mode=b"b")
        self._compile, self._begin, self._stage, self._go, self._drain = entries
        self._base: int = self._runtime.get_memory_used(total=True)
        self._limit = self._confined = sys.maxsize
        self._ceiling = 0

    def compile(self, source: bytes, chunk: bytes) -> tuple[bytes | None, bytes]:
        """Bytecode of `source`, which `begin` takes; or None, and what the compiler says."""
        bytecode, message = self._compile(source, chunk)
        return bytecode, message or b""

    def begin(
        self,
        code: bytes,
        chunk: bytes,
        params: bytes,
        *,
        compiled: bool,
        output: int,
        binary: bool,
        memory: int,
    ) -> None:
        """Load a script that may print `output` and allocate `memory` bytes; it does not run yet.

        `code` is a source, or where `compiled` is said what this class made of one on this host.
        `binary` tells that a string it returns is meant as bytes.
        """
        seed = struct.unpack("qq", os.urandom(16))
        self._begin(code, chunk, b"b" if compiled else b"t", params, output, binary, *seed)
        self._limit = memory
        self.confine(self._confined)

    def confine(self, memory: int) -> None:
        """Allocate that many bytes at most, or what `begin` says where that is less."""
        self._confined = memory
        self._ceiling = self._base + min(self._limit, memory)

    @property
    def confined(self) -> int | None:
        """What binds the script, if it is not its own limit."""
        return self._confined if self._confined < self._limit else None

    def stage(self, packed: bytes, failed: bool) -> None:
        """Lay down the answer that the next `go` gives to the script."""
        self._stage(packed, failed)

    def go(self, ticket: int) -> Flat:
        """Run the script to its next request: bytes of output that wait, its kind, its parts.

        `ticket` is that of the request that is answered; 0 where that needs none.

        Raises: LuaOutOfMemory, LuaFailure where the prelude itself could not go on.
        """
        self._runtime.set_max_memory(self._ceiling, total=True)
        try:
            flat: Flat = self._go(ticket)
            return flat
        finally:
            self._runtime.set_max_memory(0)

    def drain(self) -> bytes:
        """Take the output that waits."""
        text: bytes = self._drain()
        return text

    @property
    def memory_bytes(self) -> int:
        """What the script holds. Any thread may ask."""
        runtime = self._runtime
        if runtime is None:
            return 0
        used: int = runtime.get_memory_used(total=True)
        return max(used - self._base, 0)

    def close(self) -> None:
        """Free the state. Nothing else may be called afterwards."""
        del self._compile, self._begin, self._stage, self._go, self._drain
        self._runtime = None
