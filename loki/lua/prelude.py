"""The trusted Lua that every state begins with, as bytecode: compiled once in a process.

Most of it runs in each state. The late parts stay strings there until a script first needs them:
to load a function costs more than all that most scripts ever do with it.
"""

import re
from functools import cache
from importlib.resources import files

from lupa import lua54

FIRST = "taken.lua"
NEXT = ("prelude.lua", "library.lua", "session.lua")
"""One chunk in this order, but for `FIRST` in a function of its own:

to capture a local of the running function, Lua walks over all that were captured before; to pass
on what that function captured is one step. A fresh state comes sooner by a twentieth.
"""

LATE = (
    "codec",
    "coroutine",
    "excerpt",
    "failure",
    "load",
    "module",
    "output",
    "service",
    "together",
    "unwinding",
    "xpcall",
)
"""Each a chunk of its own. They see, under the same names, what `shared` in session.lua gives."""

_SHARED = re.compile(rb"function shared\(\)\s+return (.*?)\nend", re.DOTALL)
_DUMP = b"function(source) return string.dump(load(source, '=prelude', 't'), true) end"


@cache
def bytecode() -> bytes:
    """All of it, for the engine in use. Host-made: no other bytecode is ever loaded."""
    runtime = lua54.LuaRuntime(encoding=None, source_encoding="utf-8")
    dump = runtime.eval(_DUMP)
    rest = b"".join(map(_source, NEXT))
    shared = _SHARED.search(rest)
    assert shared, "session.lua says what late parts see"  # noqa: S101
    header = b"local %b = ...\n" % shared[1]
    late = b",".join(
        b"%b = %b" % (name.encode(), _literal(dump(header + _source(f"{name}.lua"))))
        for name in LATE
    )
    whole: bytes = dump(
        b"local BYTECODE = {%b}\n%b\nreturn (function(...)\n%b\nend)(...)"
        % (late, _source(FIRST), rest)
    )
    return whole


def _source(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


def _literal(data: bytes) -> bytes:
    """A string as Lua source."""
    return b'"%b"' % b"".join(b"\\x%02x" % byte for byte in data)
