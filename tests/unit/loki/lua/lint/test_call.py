"""Calls of known functions: dot or colon, how many arguments, of which type, and permissions."""

from collections.abc import Callable

import pytest

from loki.messages.script import Script

Problems = Callable[..., list[str]]


def bad(problem: str, *sources: str) -> list[tuple[str, str]]:
    return [(source, problem) for source in sources]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        *bad("1:1 error dot-or-colon: call it as board:read(...)", "board.read(4)", "board.read()"),
        *bad("1:1 error dot-or-colon: call it as loki.sleep(...)", "loki:sleep(5)"),
        *bad("1:1 error dot-or-colon: call it with a dot: table.insert(...)", "table:insert(1)"),
        *bad(
            "1:1 error argument-count: board:write(pin, level): level is missing; it must be "
            "a boolean",
            "board:write(4)",
            "board.write(board, 4)",
        ),
        *bad(
            "1:15 error argument-count: board:read(pin): takes 1 argument, got 2",
            "board:read(4, true)",
        ),
        *bad("1:12 error argument-count: board:ping(): takes no arguments, got 1", "board:ping(1)"),
        *bad(
            "1:15 error argument-type: board:write(pin, level): level must be a boolean, "
            "got integer 1",
            "board:write(4,1)",
        ),
        *bad(
            "1:12 error argument-type: board:read(pin): pin must be a line's number or name, "
            "got number 1.5",
            "board:read(1.5)",
            "board:read(0x1.8)",
        ),
        *bad(
            '1:12 error argument-type: board:move(speed): speed must be a number, got string "1"',
            "board:move('1')",
        ),
        *bad(
            "1:15 error argument-type: board:wait(pin, [ms]): ms must be an integer, "
            "got number -0.5",
            "board:wait(4, -0.5)",
        ),
        *bad(
            "1:12 error argument-type: board:read(pin): pin is missing; it must be a line's "
            "number or name",
            "board:read(nil)",
        ),
        *bad(
            "1:15 error argument-type: store:fs_read(path): path must be a string, got object",
            "store:fs_read({})",
            "store:fs_read {}",
        ),
        *bad(
            "1:17 error argument-type: store:keep(key, value): value must be a value, got function",
            "store:keep('a', function() end)",
        ),
        *bad(
            "1:10 error argument-value: loki.log(level, text): level must be one of debug, info, "
            "warning, error",
            "loki.log('warn', 'x')",
        ),
        *bad("1:1 error argument-count: string.rep needs 2 arguments, got 1", "string.rep('x')"),
        *bad("1:1 error argument-count: tostring needs 1 argument, got none", "tostring()"),
        *bad(
            "1:19 warning argument-count: tonumber looks at 2 arguments only, got 3",
            "tonumber('1', 10, 3)",
        ),
    ],
)
def test_a_call_that_cannot_go_well(problems: Problems, source: str, problem: str) -> None:
    assert problems(source) == [problem]


@pytest.mark.parametrize(
    "source",
    [
        "board:read(4) board:read('led') board:read(4.0) board:read(0x11) board.read(board, 4)",
        "board:wait(4) board:wait(4, nil) board:wait(4, 100)",
        "local function two() return 4, true end board:write(two()) board:write(4, two())",
        "local function f(...) board:write(...) tostring(...) end return f",
        "local s = 'a' return tonumber(s:gsub(',', '.')), string.rep(s:gsub('a', 'b'))",
        "board:move(-1) board:move(1) board:move(1e3) board:move(params.speed)",
        "board:plan({}, {}) board:plan({ a = 1 }, { 1, 2 })",
        "store:fs_write('a', 'b') store:fs_write('a', loki.bytes('b'))",
        "store:keep('a', nil) store:keep('a', {}) store:keep('a', false)",
        "store:fs_read 'a' store:fs_read [[b]]",
        "loki.log('warning', 'x') loki.log(params.level, 'x') loki.emit() loki.progress(0.5)",
        "loki.call('tool') loki.call('tool', {})",
        "return pcall(board.read, board, 4)",
        "print() print(1, 2, 3) table.insert({}, 1) table.insert({}, 1, 2) error()",
        "local tostring = print tostring() ",
        "function type() end type()",
        "local string = {} string.rep()",
        "function math.max2() end math.max2()",
        "table.concat = print table.concat()",
        "board:read(4 -- the LED\n)",
    ],
)
def test_calls_that_may_go_well(problems: Problems, source: str) -> None:
    assert problems(source) == []


def probe(**permissions: tuple[str, ...]) -> Script:
    return Script(name="probe", source="", chunk="probe", permissions=permissions)


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("board:read(4)", "pins = [4]"),
        ("board:read('led')", "pins = ['led']"),
        ("local p = 4 board:read(p)", 'pins = ["..."]'),
        ("store:fs_read('x')", 'files = "rw"'),
        ("store:keep('x', 1)", "storage = true"),
    ],
)
def test_a_call_that_the_tool_may_not_make(problems: Problems, source: str, needs: str) -> None:
    (problem,) = problems(source, probe())
    assert problem.endswith(
        f"error permission: 'probe' may not do this; its permissions must say {needs}"
    )


def test_calls_that_the_tool_may_make(problems: Problems) -> None:
    allowed = probe(pins=("4",), files=("r",), storage=("*",))
    assert problems("board:read(4) store:fs_read('x') store:keep('x', 1)", allowed) == []
    assert problems("board:ping() loki.sleep(1)", probe()) == []


def test_nobody_knows_the_permissions_of_a_lone_script(problems: Problems) -> None:
    assert problems("store:keep('x', 1)") == []
