"""Arguments of calls, against their declarations."""

import pytest

from loki.errors import ErrorCode
from loki.lua.bindings import Bindings
from loki.messages.lua_module import LuaFunction, LuaModule


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (
            "board:write(4, 'on')",
            'board:write(pin, level): level must be a boolean, got string "on"',
        ),
        ("board:write(4)", "board:write(pin, level): level is missing; it must be a boolean"),
        ("board:write(4, nil)", "board:write(pin, level): level is missing; it must be a boolean"),
        ("board:write(4, 1)", "board:write(pin, level): level must be a boolean, got integer 1"),
        ("board:read()", "board:read(pin): pin is missing; it must be a line's number or name"),
        ("board:read(1.5)", "pin must be a line's number or name, got number 1.5"),
        ("board:read(true)", "pin must be a line's number or name, got boolean true"),
        ("board:read({})", "pin must be a line's number or name, got object"),
        ("board:read(1, 2)", "board:read(pin): takes 1 argument, got 2"),
        ("board:ping(1)", "board:ping(): takes no arguments, got 1"),
        ("board:write(1, true, 3)", "board:write(pin, level): takes 2 arguments, got 3"),
        ("board:wait('5')", 'board:wait([count]): count must be an integer, got string "5"'),
        ("board:wait(2.5)", "count must be an integer, got number 2.5"),
        ("board:wait(2^63)", "count must be an integer, got number 9.22"),
        ("board:move('fast')", 'speed must be a number, got string "fast"'),
        ("board:set(5, 5)", "name must be a string, got integer 5"),
        ("board:set('\\xff', 5)", "name must be a string, got a string of 1 bytes that is not"),
        ("board:set('a')", "board:set(name, value): value is missing; it must be a value"),
        ("board:set('a', print)", "value must be a value, got function"),
        ("board:set('a', '\\xff')", "is not UTF-8; wrap binary data in loki.bytes(s)"),
        ("board:set('a', {b = {print}})", "board:set: argument 2.b[1]: a function cannot leave"),
        ("board:send(5)", "data must be a string or loki.bytes, got integer 5"),
        ("board:send(print)", "data must be a string or loki.bytes, got function"),
        ("board:plan({1}, {})", "options must be a table with names as keys, got array"),
        ("board:plan({}, {a = 1})", "steps must be an array, got object"),
        ("board:set(('n'):rep(99), {}, 1)", "takes 2 arguments, got 3"),
        ("board:move(('n'):rep(99))", 'got string "' + "n" * 40 + '..."'),
        ("board.read(4)", "use board:read(4), with a colon"),
        ("board.write(4, 'on', {})", 'use board:write(4, "on", ...), with a colon'),
        ("board.ping()", "use board:ping(), with a colon"),
        ("board:raed(4)", "board has no function 'raed'; did you mean 'read'?"),
        ("board:xyzzy()", "board has no function 'xyzzy'; it has move, ping, plan, read, send, "),
        ("return board.wriet", "did you mean 'write'?"),
        ("board['read write'](1)", "board has no function 'read write'"),
    ],
)
def test_a_wrong_call_is_refused_by_name(play, call, complaint):
    run = play(call)
    assert run.calls == []
    assert complaint in run.failed.message
    assert run.failed.message.startswith("probe.lua:1: ")
    assert run.failed.code is ErrorCode.SCRIPT_ERROR
    assert dict(run.failed.details)["code"] == "ARGUMENT_INVALID"


def test_a_refused_argument_is_named_for_machines_and_can_be_caught(play):
    run = play("local ok, e = pcall(board.write, board, 4, 'on') return {ok, e.code, e.field}")
    assert run.value == [False, "ARGUMENT_INVALID", "level"]


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("board:read(4.0)", {"pin": 4}),
        ("board:read('led')", {"pin": "led"}),
        ("board:wait()", {}),
        ("board:wait(nil)", {}),
        ("board:wait(7.0)", {"count": 7}),
        ("board:wait(math.mininteger)", {"count": -(2**63)}),
        ("board:move(3)", {"speed": 3.0}),
        ("board:send('\\0\\xff')", {"data": b"\0\xff"}),
        ("board:send('text')", {"data": b"text"}),
        ("board:send(loki.bytes('x'))", {"data": b"x"}),
        ("board:set('k', loki.bytes('x'))", {"name": "k", "value": b"x"}),
        ("board:set('k', nil)", {"name": "k", "value": None}),
        ("board:set('k', loki.null)", {"name": "k", "value": None}),
        ("board:set('k', {1, {a = 2.5}})", {"name": "k", "value": [1, {"a": 2.5}]}),
        ("board:plan({}, {})", {"options": {}, "steps": []}),
        ("board:plan(loki.array(), loki.array())", {"options": {}, "steps": []}),
        ("board:plan({a = 1}, {1})", {"options": {"a": 1}, "steps": [1]}),
    ],
)
def test_arguments_arrive_by_name_in_their_declared_types(play, call, arguments):
    (made,) = play(call).calls
    assert made.arguments == arguments
    for name, value in arguments.items():
        assert type(made.arguments[name]) is type(value)


def test_functions_can_be_kept_in_locals(play):
    assert len(play("local read = board.read read(board, 1) read(board, 2)").calls) == 2


def test_services_name_each_function_between_spaces():
    module = LuaModule(
        name="m", child="m", doc="", functions=(LuaFunction(name="f", request="F", doc=""),)
    )
    assert list(Bindings((module,)).services())[1:] == [b"m", b" f "]
