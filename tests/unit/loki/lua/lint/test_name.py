"""Names that nothing defines, and globals by accident."""

from collections.abc import Callable

import pytest

Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "local temperature = 1\nreturn tempreature",
            "2:8 error unknown-name: unknown name 'tempreature'; did you mean 'temperature'?",
        ),
        ("pirnt(1)", "1:1 error unknown-name: unknown name 'pirnt'; did you mean 'print'?"),
        ("return treu", "1:8 error unknown-name: unknown name 'treu'; did you mean 'true'?"),
        ("return xyzzy", "1:8 error unknown-name: unknown name 'xyzzy'"),
        ("--[[ä]] xyzzy()", "1:9 error unknown-name: unknown name 'xyzzy'"),
        ("read(4)", "1:1 error unknown-name: unknown name 'read'; write board:read(...)"),
        (
            "progress(1)",
            "1:1 error unknown-name: unknown name 'progress'; write loki.progress(...)",
        ),
        ("sleep(4)", "1:1 error unknown-name: scripts have no 'sleep'; loki.sleep(ms) waits"),
        (
            "local f = io",
            "1:11 error unknown-name: scripts have no 'io'; for files there are store:fs_read and "
            "store:fs_write, for output print",
        ),
        (
            "return loadstring('x')",
            "1:8 error unknown-name: scripts have no 'loadstring'; since Lua 5.2 it is load",
        ),
        ("if xyzzy then return 1 end", "1:4 warning unknown-name: unknown name 'xyzzy'"),
        ("return type(xyzzy)", "1:13 warning unknown-name: unknown name 'xyzzy'"),
        ("load(params.code)() return xyzzy", "1:28 warning unknown-name: unknown name 'xyzzy'"),
        ("_G[params.name] = 1 return xyzzy", "1:28 warning unknown-name: unknown name 'xyzzy'"),
    ],
)
def test_a_name_that_nothing_defines(problems: Problems, source: str, problem: str) -> None:
    assert problems(source) == [problem]


@pytest.mark.parametrize(
    "source",
    [
        "print(params, loki, board, store, _G, _VERSION, math, string, table, utf8, os, coroutine)",
        "function f() return g() end function g() return f end return f()",
        "_G.mode = 1 return mode",
        "local unpack = table.unpack or unpack return unpack",
        "if jit then return 1 end",
        "local _ENV = { x = 1 } return x",
        "local m = require 'm' return m.f()",
        "return rawequal(nil, nil)",
        "local t = { io = 1 } return t.io, t.xyzzy",
        "local s = 'pirnt(1)' -- xyzzy\nreturn s, [[xyzzy]]",
    ],
)
def test_names_that_are_there(problems: Problems, source: str) -> None:
    assert problems(source) == []


def test_every_place_of_an_unknown_name_is_told(problems: Problems) -> None:
    assert [line[:4] for line in problems("print(xyzzy)\nprint(xyzzy)")] == ["1:7 ", "2:7 "]


def test_an_accidental_global_is_told_once(problems: Problems) -> None:
    assert problems("count = 0\ncount = count + 1\nreturn count") == [
        "1:1 warning accidental-global: 'count' becomes a global; write 'local count = ...' where "
        "it first gets a value"
    ]


def test_a_mistyped_local_is_no_new_global(problems: Problems) -> None:
    (problem,) = problems("local total = 0\ntotl = total + 1\nreturn total")
    assert problem.startswith("2:1 warning accidental-global")
    assert problem.endswith("; did you mean 'total'?")


@pytest.mark.parametrize(
    "source",
    [
        "local a = 1 a = 2 return a",
        "function helper() return 1 end return helper()",
        "print = function() end",
        "local _ENV = {} x = 1",
        "local t = {} t.x = 1",
    ],
)
def test_what_is_no_accident(problems: Problems, source: str) -> None:
    assert problems(source) == []
