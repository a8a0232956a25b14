"""Locals are where Lua says they are; everything else is a global."""

import pytest

from loki.lua.lint.scope import resolve
from loki.lua.lint.syntax import parse


def globals_of(source: str) -> tuple[list[str], list[str]]:
    """Globals that are read, and those that are set, in order."""
    root = parse(source)
    assert root is not None
    names = resolve(root)
    return [node.text for node in names.reads], [node.text for node in names.writes]


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("return x", ["x"]),
        ("local x return x", []),
        ("local x = x", ["x"]),
        ("local x <const>, y = 1, x return x, y", ["x"]),
        ("do local x end return x", ["x"]),
        ("if a then local x else return x end", ["a", "x"]),
        ("while a do local x end return x", ["a", "x"]),
        ("repeat local x until x", []),
        ("repeat local x until x return x", ["x"]),
        ("repeat do local y end until y", ["y"]),
        ("for i = i, j do return i end return i", ["i", "j", "i"]),
        ("for k, v in f, v do return k, v end return k", ["f", "v", "k"]),
        ("for i = 1, 2 do end return i", ["i"]),
        ("local function f(a, ...) return f, a, b end return f, a", ["b", "a"]),
        ("local f = function() return f end", ["f"]),
        ("return function(a) return a end, a", ["a"]),
        ("local t = {} function t.f(a) return t, a, self end", ["self"]),
        ("local t = {} function t:f() return self end return self", ["self"]),
        ("return { x = y, [z] = 1, w }", ["y", "z", "w"]),
        ("return a.b.c, a:d(), a['e']", ["a", "a", "a"]),
        ("goto done ::done::", []),
        ("local t = {} t.x, y[z] = 1, 2", ["y", "z"]),
        ("local x <close> = nil", []),
        ("local a = 1 return function() return a + b end", ["b"]),
        ("f 'x' g {h} -- i", ["f", "g", "h"]),
    ],
)
def test_reads_of_globals(source: str, reads: list[str]) -> None:
    assert globals_of(source)[0] == reads


@pytest.mark.parametrize(
    ("source", "writes"),
    [
        ("x = 1", ["x"]),
        ("local x x = 1", []),
        ("x, y = 1", ["x", "y"]),
        ("local x x, y = 1", ["y"]),
        ("function f() end", ["f"]),
        ("local f function f() end", []),
        ("local function f() x = 1 end", ["x"]),
        ("x.y = 1", []),
        ("function x.y() end", []),
        ("for i = 1, 2 do i = 3 end i = 4", ["i"]),
    ],
)
def test_writes_of_globals(source: str, writes: list[str]) -> None:
    assert globals_of(source)[1] == writes


def test_a_sum_of_thousands_is_no_recursion() -> None:
    assert globals_of("return x" + " + x" * 5000)[0] == ["x"] * 5001
