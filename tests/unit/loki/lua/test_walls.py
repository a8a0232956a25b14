"""Scripts run step by step, their values survive, and what they may not reach is not there."""

import pytest

from loki.core.run.engine import Call, Emit, Failed, Finished, Progress, Sleep
from loki.errors import CompilationError, ErrorCode
from loki.lua.engine import LuaEngine
from loki.messages.lua_module import LuaFunction, LuaModule, LuaParameter, LuaType
from loki.messages.script import Limits, Script, ValueType
from loki.messages.value import ScriptValue

READ = LuaFunction(
    name="gpio_read",
    request="ReadLine",
    parameters=(LuaParameter(name="pin", type=LuaType.PIN, doc=""),),
    returns=LuaType.BOOLEAN,
    doc="",
)
FENRIR = LuaModule(name="fenrir", child="fenrir", doc="", functions=(READ,))
ENGINE = LuaEngine((FENRIR,))


def script(source: str, **more: object) -> Script:
    return Script(name="t", source=source, chunk="t", **more)  # type: ignore[arg-type]  # Test's own.


def first_step(source: str, **more: object) -> object:
    session = ENGINE.prepare()
    try:
        return session.start(script(source, **more), {})
    finally:
        session.close()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 1", 2),
        ("10 / 2", 5.0),
        ("9007199254740993", 9007199254740993),
        ("math.mininteger", -(2**63)),
        ("'grün'", "grün"),
        ("loki.bytes('\\255\\0')", b"\xff\x00"),
        ("{1, 2, {3}}", [1, 2, [3]]),
        ("{a = 1, b = {}}", {"a": 1, "b": {}}),
        ("loki.array({})", []),
        ("nil", None),
        ("true", True),
    ],
)
def test_s_4_2_4_values_come_back_as_they_are(expression: str, value: ScriptValue) -> None:
    step = first_step(f"return {expression}")
    assert step == Finished(value)
    assert isinstance(step, Finished)
    assert type(step.value) is type(value)


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("{items = {1, 0/0}}", "items[2]"),
        ("{1, nil, 3}", ""),
        ("{[true] = 1}", ""),
        ("print", ""),
        ("'\\255'", "loki.bytes"),
    ],
)
def test_what_no_client_can_take_is_refused_with_its_place(expression: str, place: str) -> None:
    step = first_step(f"return {expression}")
    assert isinstance(step, Failed)
    assert place in step.message


def test_s_2_1_3_a_result_of_another_type_is_a_mismatch() -> None:
    step = first_step("return 'abc'", return_type=ValueType.NUMBER)
    assert isinstance(step, Failed)
    assert step.code is ErrorCode.RETURN_TYPE_MISMATCH


def test_a_call_waits_for_its_answer_and_a_failed_one_can_be_caught() -> None:
    session = ENGINE.prepare()
    source = (
        "local ok, e = pcall(function() return fenrir:gpio_read(4) end) return ok or e.code, ok"
    )
    assert session.start(script(source), {}) == Call("fenrir", "gpio_read", {"pin": 4})
    assert session.fail(ErrorCode.IO, "no", {}) == Finished("IO")
    session.close()


def test_steps_of_the_loki_table() -> None:
    session = ENGINE.prepare()
    source = "loki.sleep(20) loki.emit({1}) loki.progress(0.5, 'half') return params.n"
    assert session.start(script(source), {"n": 7}) == Sleep(0.02)
    assert session.resume(None) == Emit([1])
    assert session.resume(None) == Progress(0.5, "half")
    assert session.resume(None) == Finished(7)
    session.close()


def test_print_is_output() -> None:
    session = ENGINE.prepare()
    session.start(script("print('a', 1, nil) print('ü')"), {})
    assert session.take_output() == "a\t1\tnil\nü\n"
    session.close()


def test_s_4_2_1_a_dot_instead_of_a_colon_gets_a_hint() -> None:
    step = first_step("return fenrir.gpio_read(4)")
    assert isinstance(step, Failed)
    assert "fenrir:gpio_read" in step.message


@pytest.mark.parametrize("source", ["return 1 +", "x = = 1", "\x1bLua", "goto nowhere"])
def test_s_14_3_1_source_that_does_not_compile_is_refused_with_its_line(source: str) -> None:
    with pytest.raises(CompilationError) as caught:
        ENGINE.validate(script(f"\n{source}" if not source.startswith("\x1b") else source))
    assert caught.value.code is ErrorCode.SCRIPT_INVALID


def test_s_3_1_5_validation_does_not_execute() -> None:
    ENGINE.validate(script("error('executed')"))


@pytest.mark.parametrize(
    "name",
    ["io", "debug", "package", "dofile", "loadfile", "python", "warn", "string.dump",
     "os.execute", "os.getenv", "os.exit", "os.remove", "os.tmpname"],
)  # fmt: skip
def test_what_reaches_outside_is_not_there(name: str) -> None:
    table, _, key = name.rpartition(".")
    expression = f"rawget({table}, '{key}')" if table else f"rawget(_G, '{key}')"
    assert first_step(f"return {expression} == nil") == Finished(True)


@pytest.mark.parametrize(
    "attempt",
    [
        "getmetatable('').__index = 1",
        "getmetatable('').__index.upper = 1",
        "setmetatable(_G, nil) fenrir.gpio_read = 1",
        "setmetatable({}, {__gc = print})",
        "load(string.char(27) .. 'Lua')()",
        "load('return 1', 'x', 'b')()",
        "coroutine.yield('forged')",
        "for i in fenrir do end",
        "local t = setmetatable({}, {__name = 'x'}) t()",
        "string.rep('x', 1 << 40)",
        "error(setmetatable({}, {__tostring = function() error('again') end}))",
        "error()",
        "error({code = 'TIME_BUDGET', message = 'forged'})",
        "local t <close> = setmetatable({}, {__close = function() error('closing') end})",
        "table.sort({3, 1, 2}, function() return fenrir:gpio_read(4) end)",
        "('x'):gsub('x', function() return fenrir:gpio_read(4) end)",
    ],
)
def test_s_4_2_1_attempts_end_as_errors_of_the_script(attempt: str) -> None:
    step = first_step(attempt)
    assert isinstance(step, Failed)
    assert step.code in (ErrorCode.SCRIPT_ERROR, ErrorCode.MEMORY_BUDGET)
    assert "/" not in step.traceback


@pytest.mark.parametrize(
    "hoard",
    [
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
        "local function f() return pcall(f) and f() end local t = {} "
        "while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        "local co = {} while true do co[#co + 1] = coroutine.create(function() end) end",
    ],
)
@pytest.mark.timeout(20)
def test_the_memory_budget_holds_and_the_next_run_works(hoard: str) -> None:
    step = first_step(hoard, limits=Limits(max_memory_mb=4))
    assert isinstance(step, Failed)
    assert step.code is ErrorCode.MEMORY_BUDGET
    assert "max_memory_mb" in step.message
    assert first_step("return 1") == Finished(1)


def test_the_output_budget_cannot_be_caught() -> None:
    session = ENGINE.prepare()
    limits = Limits(max_output_kb=1)
    step: object = session.start(
        script("while true do pcall(print, ('x'):rep(100)) end", limits=limits), {}
    )
    output = session.take_output()
    while not isinstance(step, Failed):
        step = session.resume(None)
        output += session.take_output()
    assert step.code is ErrorCode.OUTPUT_BUDGET
    assert len(output) <= 1024 + 100
    session.close()


def test_a_run_leaves_nothing_behind_for_the_next() -> None:
    poison = (
        "x = 1 string.upper = nil table.insert = nil math.pi = 3 "
        "pcall(function() getmetatable('').__index = {} end) return 1"
    )
    for _ in range(2):
        assert first_step(poison) == Finished(1)
        probe = "return x == nil and ('a'):upper() == 'A' and table.insert ~= nil and math.pi > 3.1"
        assert first_step(probe) == Finished(True)


@pytest.mark.parametrize(
    "tampering",
    [
        "pcall(rawset, fenrir, 'gpio_read', print)",
        "pcall(function() fenrir.gpio_read = print end)",
        "pcall(function() getmetatable(fenrir).__index = {} end)",
        "pcall(setmetatable, fenrir, {})",
    ],
)
def test_the_functions_of_a_child_cannot_be_changed(tampering: str) -> None:
    step = first_step(f"{tampering} return fenrir:gpio_read(4)")
    assert step == Call("fenrir", "gpio_read", {"pin": 4})
