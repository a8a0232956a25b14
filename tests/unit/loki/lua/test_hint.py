"""Hints for beginners' mistakes: the right one, or none."""

import pytest

from loki.core.run.engine import Finished
from loki.errors import CompilationError
from loki.lua.engine import LuaEngine
from loki.lua.hint import GLOBALS, LIBRARIES, Names, compile_hint, line_of, run_hint
from loki.messages.script import Limits, Origin, Parameter, Script, ValueType

BRACES = "without braces"
CONTINUE = "Lua has no continue"


def script(source: str, *parameters: str) -> Script:
    declared = tuple(
        Parameter(name=name, type=ValueType.INTEGER, required=False) for name in parameters
    )
    limits = Limits(max_memory_mb=128)  # Room for a stack that overflows.
    return Script(name="s", source=source, chunk="s.lua", parameters=declared, limits=limits)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("if a != b then end", "Lua writes ~= for 'not equal'"),
        ("x = !y", "Lua writes 'not' instead of !"),
        ("x += 1", "Lua has no +=; write x = x + ..."),
        ("t.a[1] -= 2", "Lua has no -=; write t.a[1] = t.a[1] - ..."),
        ("s ..= 'x'", "Lua has no ..=; write s = s .. ..."),
        ("x //= 2", "Lua has no //=; write x = x // ..."),
        ("local x = 1\nx++", "Lua has no ++; write x = x + 1"),
        ("++x", "Lua has no ++; write x = x + 1"),
        ("if a then\nelse if b then\nend\n", "'else if' at line 2 opens an if with an end of its"),
        ("if a then\nelif b then\nend", "Lua writes elseif"),
        ("if a = 1 then end", "= assigns; == compares"),
        ("if a\nprint(1) end", "the condition of an if or elseif ends with 'then'"),
        ("while x print(1) end", "the head of a while or for loop ends with 'do'"),
        ("for i = 1, 2\nprint(i) end", "the head of a while or for loop ends with 'do'"),
        ("function f()\nprint(1)\n", "the 'function' of line 1 has no end"),
        ("if x then end end", "there is one 'end' too many"),
        ("if (x) {\n}", BRACES),
        ("function f() {\n}", BRACES),
        ("while (true) {", BRACES),
        ("// hello", "comments begin with --"),
        ("/* hello */", "comments begin with --"),
        ("# hello", "comments begin with --"),
        ("if a && b then end", "Lua writes 'and' instead of &&"),
        ("x = a || b", "Lua writes 'or' instead of ||"),
        ("def f():\n", "Lua writes function name(...) ... end"),
        ("var x = 1", "Lua writes local instead of var"),
        ("return 1\nprint(2)", "return must be the last statement of its block"),
        ("if x then\n  return 1\n  print(2)\nend", "return must be the last statement"),
        ("x = a ? 1 : 2", "Lua has no ? :"),
        ("x = 'open", "a string ends on its line"),
        ("for i = 1, 2 do\ncontinue\nend", CONTINUE),
        ("for i = 1, 2 do if i then continue end end", CONTINUE),
        ("import os", 'write local name = require "name"'),
        ("x = [1, 2]", "Lua writes lists as {1, 2, 3}"),
        ("return [1]", "Lua writes lists as {1, 2, 3}"),
        ("for i in 1..3 do end", "write for i = 1, 3 do"),
        ("local t = {a: 1}", "fields are written {name = value}"),
        ("x == 1", "== compares; = assigns"),
        ("for (i=0; i<3; i++) do end", "write for i = 1, n do"),
    ],
)
def test_a_mistake_that_does_not_compile(engine: LuaEngine, source: str, hint: str) -> None:
    with pytest.raises(CompilationError) as caught:
        engine.validate(script(source))
    assert caught.value.details["hint"].startswith(hint) or hint == BRACES
    assert hint in caught.value.details["hint"]
    assert f"; {caught.value.details['hint']}" in caught.value.message
    ended = engine.prepare().start(script(source), {})
    assert f"; {caught.value.details['hint']}" in ended.message


@pytest.mark.parametrize(
    "source",
    [
        "print(1))",
        "x = {1, 2",
        "local x = 1 2",
        "print('a' 'b')",
        "f(",
        "goto nowhere",
        "break",
        "local x <const> = 1\nx = 2",
        "return {a = 1 b = 2}",
        "x = '!=' 'y'",
        "y = 5 5 -- x += 1",
        "repeat x = 1",
        "print 'a' + 1 +",
        "x = 1 +* 2",
    ],
)
def test_no_hint_where_nothing_is_certain(engine: LuaEngine, source: str) -> None:
    with pytest.raises(CompilationError) as caught:
        engine.validate(script(source))
    assert "hint" not in caught.value.details


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("return bord:read(1)", "did you mean 'board'?"),
        ("prnt('x')", "did you mean 'print'?"),
        ("lokki.sleep(1)", "did you mean 'loki'?"),
        ("return parms.n", "did you mean 'params'?"),
        ("local function measure() end\nmesure()", "did you mean 'measure'?"),
        ("work()\nlocal function work() end", "'work' is defined at line 2, which comes later"),
        ("work()\nfunction work() end", "'work' is defined at line 2, which comes later"),
        ("return string.fomat('x')", "did you mean 'string.format'?"),
        ("return math.pow(1, 2)", "write x ^ y"),
        ("return table.getn({})", "write #t"),
        ("os.execute('ls')", "scripts have only os.time"),
        ("io.write('x')", "scripts reach files by hel:fs_read"),
        ("sleep(1)", "loki.sleep(ms) waits"),
        ("return null.x", "Lua's word for nothing is nil"),
        ("return None + 1", "Lua's word for nothing is nil"),
        ("return 'abc' + 1", "join strings with .."),
        ("local s = 'x' return 1 + s", "join strings with .."),
        ("return 'a' .. true", "tostring(x) makes a string of it"),
        ("return 1 < '2'", "tonumber(s) makes a number of a string"),
        ("local t = {{}} t[0].x = 1", "lists begin at 1"),
        ("return 1.5 | 1", "math.floor(x) gives the whole part"),
        ("local x = 1\n// hello", "comments begin with --"),
        ("local function f() return 1 + f() end return f()", "a function calls itself"),
        ("return params.n + 1", "the caller left 'n' out"),
        ("return params.contt + 1", "did you mean 'params.count'?"),
        ("return params.whatever + 1", "the script has no parameter 'whatever'"),
        ("return board:read(params.n)", "the caller left 'n' out"),
        ("return board:read(params.pin)", "the script has no parameter 'pin'"),
        ("return board:read(params.cuont)", "did you mean 'params.count'?"),
    ],
)
def test_a_mistake_in_a_run(engine: LuaEngine, source: str, hint: str) -> None:
    ended = engine.prepare().start(script(source, "n", "count"), {})
    details = dict(ended.details)
    assert details["hint"].startswith(hint)
    assert f"; {details['hint']}" in ended.message
    assert details["source_line"] in source


@pytest.mark.parametrize(
    "source",
    [
        "error('it broke')",
        "return sensor.x",
        "return x.y.z",
        "return ('x').y.z",
        "local t = nil return t[1]",
        "local t = {} return t.a.b",
        "return ('x'):uper()",
        "return 1 < nil",
        "return 'a' * 2",
        "return board:read()",
        "return board:read(nil)",
        "return board:read(params.n, params.count)",
        "local string = {} return string.zzz.x",
        "return -{}",
        "return 'a' .. nil",
        "local t = {} return t[1].x -- t[0]",
        "local t = {} return t[1].x .. '[0]'",
    ],
)
def test_no_hint_for_what_has_many_causes(engine: LuaEngine, source: str) -> None:
    ended = engine.prepare().start(script(source, "n"), {})
    assert "hint" not in dict(ended.details)
    assert dict(ended.details).items() >= {"file": "s.lua", "source_line": source}.items()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("board.read(1)", "use board:read(1), with a colon"),
        ("local read = board.read\nread(1)", "use board:read(1), with a colon"),
        ("loki:sleep(1)", "use loki.sleep(1), with a dot"),
        ("board:raed(1)", "board has no function 'raed'; did you mean 'read'?"),
        ("board.raed(1)", "board has no function 'raed'; did you mean 'read'?"),
        ("loki.slep(1)", "loki has no function 'slep'; did you mean 'sleep'?"),
        ("board:wait('3')", "board:wait([count]): count must be an integer, got string"),
        ("board:read()", "board:read(pin): pin is missing; it must be a line's number or name"),
        ("board:wait(1, 2)", "board:wait([count]): takes 1 argument, got 2"),
    ],
)
def test_a_wrong_call_says_how_it_is_written(engine: LuaEngine, source: str, message: str) -> None:
    ended = engine.prepare().start(script(source), {})
    assert ended.message.startswith(f"s.lua:{ended.line}: {message}")
    assert ended.traceback == f"s.lua:{ended.line}: in main chunk"
    assert dict(ended.details)["source_line"] == source.splitlines()[ended.line - 1]


def test_a_message_that_the_script_forged_harms_nobody(engine: LuaEngine) -> None:
    for text in ("nil value (global '%s')", "s.lua:99: x", "s.lua:1: {target} near '+'", "\\0"):
        ended = engine.prepare().start(script(f'error("attempt to index a {text}", 0)'), {})
        assert not isinstance(ended, Finished)


def test_the_names_are_those_that_scripts_find(engine: LuaEngine) -> None:
    source = """local found = {}
    for name in pairs(_G) do found[#found + 1] = name end
    return found"""
    ended = engine.prepare().start(script(source), {})
    assert sorted(ended.value) == sorted([*GLOBALS.split(), "board", "loki"])


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_functions_are_those_that_scripts_find(engine: LuaEngine, library: str) -> None:
    source = f"""local found = {{}}
    for name in pairs({library}) do found[#found + 1] = name end
    return found"""
    ended = engine.prepare().start(script(source), {})
    assert sorted(ended.value) == sorted(LIBRARIES[library].split())


@pytest.mark.parametrize(
    ("returns", "given", "hint"),
    [
        (ValueType.ANY, {}, "the caller gave no 'pin'"),
        (ValueType.ANY, {"pins": 4}, "did you mean 'params.pins'?"),
        (ValueType.VOID, {}, "the script has no parameter 'pin'"),  # Its header says so.
    ],
)
def test_adhoc_source_without_a_header_has_what_its_caller_gives(
    engine: LuaEngine, returns: ValueType, given: dict[str, int], hint: str
) -> None:
    for source in ("board:read(params.pin)", "return params.pin.x"):
        sent = Script(
            name="adhoc", source=source, chunk="a.lua", origin=Origin.ADHOC, return_type=returns
        )
        ended = engine.prepare().start(sent, dict(given))
        assert ended.message.endswith(hint), ended.message


def test_lines_that_are_not_there() -> None:
    assert line_of("a\n  b", 2) == "b"
    assert line_of("a", 0) == line_of("a", 9) == ""
    assert compile_hint("near '!'", "", 7) == ""
    assert run_hint("stack overflow", "", 0, Names()) == "a function calls itself without an end"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "source",
    [
        "if x = 1 then " + "a" * 900_000,
        "x = = 1" + " ." * 400_000,
        "\n" * 1_000_000 + "x = = 1",
        "if x then\n" + "y()\n" * 200_000 + "else if z then end",
    ],
    ids=lambda source: source[:20],
)
def test_a_source_made_to_be_slow_is_refused_like_any_other(engine, source):
    with pytest.raises(CompilationError):
        engine.compile(Script(name="slow", source=source, chunk="slow"))
