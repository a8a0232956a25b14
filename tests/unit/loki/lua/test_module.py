"""`require` in scripts: once in a run, under the same sandbox, with errors that name its file."""

from dataclasses import dataclass

import pytest

from loki.core.run.engine import Failed, Finished, Flush, Require, Step
from loki.errors import ErrorCode
from loki.lua.engine import LuaEngine
from loki.messages.module import CompiledModule
from loki.messages.script import Limits, Script


@dataclass
class Required:
    end: Step
    names: list[str]
    output: str


def play(engine: LuaEngine, source: str, **modules: str) -> Required:
    """Run `source` with these modules; what is not there fails as the Library says it."""
    session = engine.prepare()
    script = Script(name="s", chunk="s.lua", source=source, limits=Limits(max_memory_mb=10))
    step, names, output = session.start(script, {}), [], ""
    for _ in range(1000):
        output += session.take_output()
        if isinstance(step, Flush):
            step = session.resume(None)
        elif isinstance(step, Require):
            names.append(step.name)
            text = modules.get(step.name)
            if text is None:
                step = session.fail(ErrorCode.NOT_FOUND, f"there is no module '{step.name}'", {})
            else:
                file = f"scripts/{step.name}.lua"
                module = Script(name="module", chunk=file, source=text)
                code = engine.compile(module)
                step = session.provide(CompiledModule(file=file, source=text, bytecode=code))
        else:
            break
    session.close()
    return Required(step, names, output)


def value(engine: LuaEngine, source: str, **modules: str) -> object:
    end = play(engine, source, **modules).end
    assert isinstance(end, Finished), end
    return end.value


def failed(engine: LuaEngine, source: str, **modules: str) -> Failed:
    end = play(engine, source, **modules).end
    assert isinstance(end, Failed), end
    return end


def test_a_module_runs_once_in_a_run(engine: LuaEngine) -> None:
    source = "local a, b = require 'm', require('m') a.n = 5 return {b.n, rawequal(a, b)}"
    played = play(engine, source, m="print('runs') return {}")
    assert played.end == Finished([5, True])
    assert (played.names, played.output) == (["m"], "runs\n")
    assert value(engine, "return tostring(require('m').n)", m="return {}") == "nil"


def test_it_gets_its_name_and_file_and_may_return_anything(engine: LuaEngine) -> None:
    assert value(engine, "return require('m')", m="return {...}") == ["m", "scripts/m.lua"]
    assert value(engine, "local _, file = require 'm' return file", m="") == "scripts/m.lua"
    assert value(engine, "return require('m')", m="return nil") is True
    assert value(engine, "local a = require 'm' return require 'm'", m="return false") is False


def test_names_that_only_the_run_knows(engine: LuaEngine) -> None:
    source = "local sum = 0 for i = 1, 3 do sum = sum + require('m' .. i) end return sum"
    assert value(engine, source, m1="return 1", m2="return 2", m3="return 3") == 6


def test_modules_require_modules_from_any_depth(engine: LuaEngine) -> None:
    source = """
    local co = coroutine.wrap(function() return select(2, pcall(require, 'a')) end)
    return co()
    """
    assert value(engine, source, a="return require('b') + 1", b="return 1") == 2


def test_it_lives_in_the_same_sandbox(engine: LuaEngine) -> None:
    assert value(engine, "require 'm' return shared", m="shared = 7") == 7
    assert value(engine, "return require('m')", m="return type(io) .. type(debug)") == "nilnil"


def test_what_is_there_anyway_needs_no_file(engine: LuaEngine) -> None:
    source = "return rawequal(require 'string', string) and rawequal(require 'board', board)"
    played = play(engine, source + " and rawequal(require 'loki', loki)")
    assert (played.end, played.names) == (Finished(True), [])
    assert failed(engine, "require 'io'").message == "s.lua:1: there is no module 'io'"


@pytest.mark.parametrize(
    ("modules", "circle"),
    [
        ({"a": "require 'b'", "b": "require 'a'"}, "a > b > a"),
        ({"a": "require 'a'"}, "a > a"),
        ({"a": "require 'b'", "b": "require 'c'", "c": "require 'b'"}, "b > c > b"),
        ({"a": "require 'b'", "b": "local _, e = pcall(require, 'a') error(e, 0)"}, "a > b > a"),
    ],
)
def test_a_circle_is_shown(engine: LuaEngine, modules: dict[str, str], circle: str) -> None:
    end = failed(engine, "require 'a'", **modules)
    assert f"modules require each other in a circle: {circle}" in end.message


def test_after_a_failure_it_may_be_required_again(engine: LuaEngine) -> None:
    source = "local ok = pcall(require, 'm') go = true return {ok, (require 'm')}"
    assert value(engine, source, m="if not go then error('no') end return 1") == [False, 1]


def test_errors_name_the_file_and_line_of_the_module(engine: LuaEngine) -> None:
    module = "local m = {}\nfunction m.f(x)\n  return x.y.z\nend\nreturn m"
    end = failed(engine, "local m = require 'm'\nlocal r = m.f({})\nreturn r", m=module)
    assert end.message == "scripts/m.lua:3: attempt to index a nil value (field 'y')"
    assert end.line == 3
    assert dict(end.details) == {"file": "scripts/m.lua", "source_line": "return x.y.z"}
    assert end.traceback.splitlines()[0].startswith("scripts/m.lua:3: in ")
    assert end.traceback.splitlines()[-1] == "s.lua:2: in main chunk"


def test_a_module_that_does_not_compile_says_where(engine: LuaEngine) -> None:
    session = engine.prepare()
    session.start(Script(name="s", chunk="s.lua", source="\nrequire 'm'"), {})
    details = {"file": "scripts/m.lua", "line": "4", "source_line": "x += 1"}
    end = session.fail(ErrorCode.SCRIPT_INVALID, "scripts/m.lua:4: near '+'", details)
    assert isinstance(end, Failed)
    assert (end.code, end.message, end.line) == (
        ErrorCode.SCRIPT_ERROR,
        "scripts/m.lua:4: near '+'",
        4,
    )
    assert dict(end.details) == {"code": "SCRIPT_INVALID", **details}
    assert end.traceback == "s.lua:2: in main chunk"


def test_where_it_cannot_wait_it_says_so(engine: LuaEngine) -> None:
    end = failed(engine, "table.sort({2, 1}, function() return require 'm' end)", m="")
    assert "require cannot wait here" in end.message
    assert "bad argument #1 to 'require' (string expected, got nil)" in (
        failed(engine, "require(nil)").message
    )


def test_a_module_without_a_table_gets_a_hint(engine: LuaEngine) -> None:
    end = failed(engine, "local m = require 'm'\nm.f()", m="function f() end")
    assert dict(end.details)["hint"].startswith("what require gives is what the module returns")
