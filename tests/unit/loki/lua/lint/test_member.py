"""Members of children, of `loki`, of Lua's libraries and of `params` that are not there."""

from collections.abc import Callable

import pytest

from loki.messages.script import Parameter, Script, ValueType

Problems = Callable[..., list[str]]

TOOL = Script(
    name="probe",
    source="",
    chunk="probe",
    parameters=(Parameter(name="sensor", type=ValueType.STRING),),
)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "board:raed(4)",
            "1:1 error unknown-function: board has no function 'raed'; did you mean 'read'?",
        ),
        (
            "return pcall(board.raed, board)",
            "1:14 error unknown-function: board has no function 'raed'; did you mean 'read'?",
        ),
        (
            "board:fs_read('x')",
            "1:1 error unknown-function: board has no function 'fs_read'; it is store:fs_read",
        ),
        (
            "store:xyzzy()",
            "1:1 error unknown-function: store has no function 'xyzzy'; it has fs_read, fs_write, "
            "keep",
        ),
        (
            "loki.sleeep(1)",
            "1:1 error unknown-function: loki has no function 'sleeep'; did you mean 'sleep'?",
        ),
        ("board.read = print", "1:1 error sealed: board cannot be changed"),
        ("function loki.twice() end", "1:10 error sealed: loki cannot be changed"),
        (
            "return math.foor(1.5)",
            "1:8 error unknown-member: scripts have no 'math.foor'; did you mean 'floor'?",
        ),
        ("math.pow(1, 2)", "1:1 error unknown-member: scripts have no 'math.pow'; write x ^ y"),
        (
            "os.execute('ls')",
            "1:1 error unknown-member: scripts have no 'os.execute'; scripts start no programs",
        ),
        (
            "io.open('x')",
            "1:1 error unknown-member: scripts have no 'io.open'; store:fs_read and store:fs_write "
            "take a file as a whole",
        ),
        ("if math.xyzzy then end", "1:4 warning unknown-member: scripts have no 'math.xyzzy'"),
    ],
)
def test_a_member_that_is_not_there(problems: Problems, source: str, problem: str) -> None:
    assert problems(source) == [problem]


@pytest.mark.parametrize(
    "source",
    [
        "return board:read(4), board:ping()",
        "return loki.null, loki.array({}), loki.bytes(''), loki.now()",
        "return math.pi, math.huge, utf8.charpattern, string.format('x')",
        "function string.trim(s) return s end return string.trim('x')",
        "table.map = function() end table.map()",
        "local pow = math.pow or function(x, y) return x ^ y end return pow",
        "local board = {} board.xyzzy()",
        "local function f(store) return store:xyzzy() end return f",
        "board = { xyzzy = 1 } return board.xyzzy",
        "local s = 'x' return s:xyzzy()",
        "return board['xyzzy']",
    ],
)
def test_members_that_are_there(problems: Problems, source: str) -> None:
    assert [line for line in problems(source) if "accidental" not in line] == []


def test_a_parameter_that_the_tool_has_not(problems: Problems) -> None:
    assert problems("return params.sensr", TOOL) == [
        "1:8 error unknown-parameter: 'probe' has no parameter 'sensr'; did you mean 'sensor'?"
    ]
    assert problems("return params.n or 5", TOOL) == [
        "1:8 warning unknown-parameter: 'probe' has no parameter 'n'; it has sensor"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "return params.sensor, params['x']",
        "params.seen = 1 return params.seen",
        "local params = {} return params.x",
        "for name in pairs(params) do print(name) end",
    ],
)
def test_parameters_that_are_there(problems: Problems, source: str) -> None:
    assert problems(source, TOOL) == []


def test_nobody_knows_the_parameters_of_a_lone_script(problems: Problems) -> None:
    assert problems("return params.anything") == []
