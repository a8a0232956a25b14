"""Stepping a script: calls, waits, errors and results."""

import math
import time

import pytest

from loki.core.run.engine import (
    AskBudget,
    Call,
    CallTool,
    Emit,
    Failed,
    Finished,
    Log,
    Progress,
    Sleep,
)
from loki.errors import ErrorCode
from loki.lua.engine import LuaEngine
from loki.lua.script import chunk_name
from loki.messages.script import Limits, Script, ValueType


def test_s_4_2_1_runs_lua_5_4(play):
    assert play("return _VERSION").value == "Lua 5.4"
    assert play("return 7 // 2, 'second is dropped'").value == 3


def test_s_2_1_2_arguments_arrive_typed(play):
    params = {"n": 9007199254740993, "x": 2.0, "s": "grün", "b": False, "o": {"k": [1, "two"]}}
    assert play("return params", params=params).value == params
    assert play("return math.type(params.n) .. math.type(params.x)", params=params).value == (
        "integerfloat"
    )


def test_a_call_waits_for_the_host(play):
    run = play("local a = board:read(4) return a + board:read('led')", 20, 22)
    assert run.calls == [
        Call("board", "read", {"pin": 4}),
        Call("board", "read", {"pin": "led"}),
    ]
    assert run.value == 42


def test_what_loki_offers_becomes_steps(play):
    run = play(
        "loki.sleep(1500) loki.emit({1}) loki.emit() loki.progress(0.5, 'half') loki.progress(7)\n"
        "loki.log('warning', 'hot') loki.call('other') return loki.call('other', {a = 1})",
        *[None] * 7,
        {"b": 2},
    )
    assert run.steps == [
        Sleep(1.5),
        Emit([1]),
        Emit(None),
        Progress(0.5, "half"),
        Progress(1.0, ""),
        Log("warning", "hot"),
        CallTool("other", {}),
        CallTool("other", {"a": 1}),
        Finished({"b": 2}),
    ]


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("loki.sleep(-1)", "loki.sleep(ms): ms must be 0 or more"),
        ("loki.sleep('x')", 'loki.sleep(ms): ms must be a number, got string "x"'),
        ("loki.sleep(0/0)", "loki.sleep: argument 1: "),
        ("loki.log('loud', 'x')", "level must be one of debug, info, warning, error"),
        ("loki:sleep(5)", "use loki.sleep(5), with a dot"),
        ("loki.slep(5)", "loki has no function 'slep'; did you mean 'sleep'?"),
        ("loki.arry({})", "did you mean 'array'?"),
        ("loki.emit(print)", "loki.emit([value]): value must be a value, got function"),
        ("loki.emit('\\xff')", "wrap binary data in loki.bytes(s)"),
        ("loki.array(5)", "loki.array(t): t must be a table, got number"),
        ("loki.bytes({})", "loki.bytes(s): s must be a string, got table"),
        ("loki.budget(1)", "loki.budget(): takes no arguments, got 1"),
        ("loki.sleep(math.huge)", "loki.sleep: argument 1: "),
        ("loki.sleep(-0x7fffffffffffffff)", "loki.sleep(ms): ms must be 0 or more"),
        ("loki.progress(0/0)", "loki.progress: argument 1: "),
    ],
)
def test_misuse_of_loki_is_named(play, call, complaint):
    failed = play(f"\n{call}").failed
    assert complaint in failed.message
    assert failed.message.startswith("probe.lua:2: ")
    assert (failed.code, failed.line) == (ErrorCode.SCRIPT_ERROR, 2)
    assert ("code", "ARGUMENT_INVALID") in failed.details


def test_a_log_text_stays_one_line(play):
    run = play("loki.log('info', 'a\\nb\\r\\27[2Jc\\0') loki.log('info', ('x'):rep(5000))")
    first, second, _ = run.steps
    assert first == Log("info", "a b  [2Jc ")
    assert second == Log("info", "x" * 2000)


def test_a_script_sleeps_for_as_long_as_it_likes(play):
    run = play("loki.sleep(0) loki.sleep(-0.0) loki.sleep(1e300) loki.sleep(math.maxinteger)")
    assert [step.duration_s for step in run.steps[:-1]] == [0, 0, 1e297, 2**63 / 1000]


def test_what_is_left_of_the_budgets_is_a_table(play):
    run = play(
        "local b = loki.budget() return b.wall_ms + b.allowed.wall_ms",
        {"wall_ms": 1.5, "allowed": {"wall_ms": 5.0}},
    )
    assert run.steps == [AskBudget(), Finished(6.5)]


def test_now_is_the_wall_clock(play):
    before = time.time()
    assert before <= play("return loki.now()").value <= time.time()


def test_a_failed_call_is_a_table_that_reads_well(play, fails):
    run = play(
        "local ok, e = pcall(board.read, board, 1)\n"
        "return {ok, e.code, e.message, e.status, e.id, tostring(e), 'so: ' .. e}",
        fails(ErrorCode.IO, "no such line", status="404", id="007"),
    )
    assert run.value == [
        False,
        "IO",
        "no such line",
        404,
        "007",
        "no such line [IO]",
        "so: no such line [IO]",
    ]


@pytest.mark.parametrize("code", list(ErrorCode))
def test_an_uncaught_call_ends_the_run_with_its_code_kept(play, fails, code):
    failed = play("\nlocal x = board:read(1)", fails(code, "it broke", where="there")).failed
    stays = {
        ErrorCode.SCRIPT_PERMISSION,
        ErrorCode.CHILD_DOWN,
        ErrorCode.DISK_BUDGET,
        ErrorCode.CHILD_DISABLED,
        ErrorCode.BUG,
    }
    assert failed.code is (code if code in stays else ErrorCode.SCRIPT_ERROR)
    assert failed.message == "probe.lua:2: it broke"
    assert dict(failed.details).get("code", "SCRIPT_ERROR") == code.value
    assert ("where", "there") in failed.details


def test_a_call_in_tail_position_still_knows_its_line(play, fails):
    failed = play("\n\nreturn board:read(1)", fails(ErrorCode.IO, "gone")).failed
    assert (failed.line, failed.traceback) == (3, "probe.lua:3: in main chunk")


def test_an_error_tells_line_and_the_scripts_own_frames(play):
    failed = play("local function deep()\n  error('boom')\nend\n\npcall(print)\ndeep()").failed
    assert (failed.code, failed.line) == (ErrorCode.SCRIPT_ERROR, 2)
    assert failed.message == "probe.lua:2: boom"
    assert failed.traceback.splitlines() == [
        "probe.lua:2: in function 'deep'",
        "probe.lua:6: in main chunk",
    ]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("error()", "the error is nil"),
        ("error(42)", "42"),
        ("error({message = 'said'})", "said"),
        ("error(setmetatable({}, {__tostring = function() return 'shown' end}))", "shown"),
        (
            "error(setmetatable({}, {__tostring = function() error('again') end}))",
            "an error that cannot be shown",
        ),
        ("error(setmetatable({}, {__tostring = print}))", "an error that cannot be shown"),
        ("local t = nil; t.x = 1", "probe.lua:1: attempt to index a nil value (local 't')"),
        ("coroutine.wrap(function() error('inner') end)()", "probe.lua:1: inner"),
    ],
)
def test_any_error_value_has_a_text(play, raised, message):
    failed = play(raised).failed
    assert failed.message.removeprefix("probe.lua:1: probe.lua:1: ") in (
        message,
        message.removeprefix("probe.lua:1: "),
    )
    assert failed.line == 1


def test_error_texts_and_traces_are_bounded(play):
    failed = play("error(('ü'):rep(100000), 0)").failed
    assert set(failed.message) == {"ü"}
    assert len(failed.message.encode()) == 2000
    deep = play("local function f(n) if n == 0 then error('x') end f(n - 1) return 1 end f(500)")
    assert len(deep.failed.traceback.splitlines()) == 21
    assert deep.failed.traceback.endswith("...")


def test_the_stack_may_overflow(play):
    endless = "local function f() return 1 + f() end "
    failed = play(endless + "return f()", max_memory_mb=100).failed
    assert failed.code is ErrorCode.SCRIPT_ERROR
    assert "stack overflow" in failed.message
    assert play(endless + "return (pcall(f))", max_memory_mb=100).value is False


def test_a_source_that_does_not_compile_fails_at_the_start(play):
    failed = play("return 1\nreturn (").failed
    assert failed.code is ErrorCode.SCRIPT_INVALID
    assert failed.line == 2


@pytest.mark.parametrize(
    "source", ["\ufeffreturn 5", "local a = 2\r\n\r\nreturn a + 3\r\n", "return 5 -- ü"]
)
def test_s_4_2_2_byte_order_mark_crlf_and_utf8_sources_run(play, source):
    assert play(source).value == 5


def test_s_4_2_2_lines_count_with_crlf(play):
    assert play("local a\r\n\r\nerror('x')").failed.line == 3


def test_calls_work_from_coroutines_at_any_depth(play):
    run = play(
        "local inner = coroutine.wrap(function()\n"
        "  for i = 1, 2 do coroutine.yield(board:read(i)) end\n"
        "end)\n"
        "local outer = coroutine.create(function() return inner() + inner() end)\n"
        "return select(2, coroutine.resume(outer))",
        30,
        12,
    )
    assert [call.arguments["pin"] for call in run.calls] == [1, 2]
    assert run.value == 42


def test_calls_work_inside_pcall_iterators_metamethods_and_close(play):
    source = """
        local log = {}
        local lazy = setmetatable({}, {__index = function(_, k) return board:read(k) end})
        for v in function(_, i) return board:read('loop') end do log[#log + 1] = v end
        pcall(function()
          local guard <close> = setmetatable({}, {__close = function() board:write(1, false) end})
          log[#log + 1] = lazy.pin
          error('out')
        end)
        return log
    """
    run = play(source, 1, None, 2, None)
    assert run.value == [1, 2]
    assert run.calls[-1] == Call("board", "write", {"pin": 1, "level": False})


def test_print_works_where_lua_cannot_wait(play):
    run = play("string.gsub('ab', '.', function() print(('x'):rep(20000)) end) return 1")
    assert run.value == 1
    assert len(run.output) == 40_002


def test_a_session_ends_once(engine: LuaEngine):
    session = engine.prepare()
    assert session.start(Script(name="p", source="return 1", chunk="p"), {}) == Finished(1)
    with pytest.raises(RuntimeError, match="over"):
        session.resume(None)
    with pytest.raises(RuntimeError, match="over"):
        session.fail(ErrorCode.IO, "late", {})
    session.close()
    assert session.memory_bytes == 0


def test_sessions_of_one_engine_do_not_share(engine: LuaEngine):
    first, second = engine.prepare(), engine.prepare()
    script = Script(name="p", source="x = (x or 0) + 1 board:ping() return x", chunk="p")
    first.start(script, {})
    second.start(script, {})
    assert (first.resume(None), second.resume(None)) == (Finished(1), Finished(1))


@pytest.mark.parametrize(
    ("source", "declared", "value"),
    [
        ("return 3.0", ValueType.INTEGER, 3),
        ("return 3", ValueType.NUMBER, 3.0),
        ("return {}", ValueType.ARRAY, []),
        ("return {}", ValueType.OBJECT, {}),
        ("return loki.array({})", ValueType.OBJECT, {}),
        ("return loki.array()", ValueType.ANY, []),
        ("return", ValueType.VOID, None),
        ("return loki.null", ValueType.VOID, None),
        ("return 'a\\0\\xff'", ValueType.BYTES, b"a\0\xff"),
        ("return loki.bytes('abc')", ValueType.BYTES, b"abc"),
        ("return loki.bytes('abc')", ValueType.ANY, b"abc"),
        ("return 'abc'", ValueType.STRING, "abc"),
    ],
)
def test_s_2_1_3_a_result_comes_in_its_declared_type(play, source, declared, value):
    result = play(source, returns=declared).value
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("source", "declared", "got"),
    [
        ("return 'abc'", ValueType.NUMBER, 'string "abc"'),
        ("return true", ValueType.NUMBER, "boolean true"),
        ("return 2.5", ValueType.INTEGER, "number 2.5"),
        ("return 2^63", ValueType.INTEGER, "number 9.223372036854776e+18"),
        ("return '1'", ValueType.INTEGER, 'string "1"'),
        ("return 1", ValueType.VOID, "integer 1"),
        ("return 1", ValueType.STRING, "integer 1"),
        ("return nil", ValueType.STRING, "nil"),
        ("return {1}", ValueType.OBJECT, "array"),
        ("return {a = 1}", ValueType.ARRAY, "object"),
        ("return loki.bytes('abc')", ValueType.STRING, "bytes of length 3"),
        ("return print", ValueType.NUMBER, "function"),
        ("return coroutine.create(print)", ValueType.VOID, "thread"),
    ],
)
def test_s_2_1_3_a_result_of_another_type_is_a_mismatch(play, source, declared, got):
    failed = play(source, returns=declared).failed
    assert failed.code is ErrorCode.RETURN_TYPE_MISMATCH
    assert failed.message == f"declared {declared.value}, got {got}"
    assert failed.details == (("declared", declared.value), ("got", got))


def test_numbers_keep_their_kind(play):
    value = play("return {1, 1.0, 2^53, math.maxinteger, math.mininteger, -0.0, 10 / 2}").value
    assert value == [1, 1.0, 2.0**53, 2**63 - 1, -(2**63), -0.0, 5.0]
    assert [type(item) for item in value] == [int, float, float, int, int, float, float]
    assert math.copysign(1, value[5]) == -1


def test_names_of_chunks_are_clean_and_short():
    assert chunk_name("tools/a.lua") == "tools/a.lua"
    assert chunk_name("a\nb\x7f") == "a b "
    cut = chunk_name("ü" * 60)
    assert cut.startswith("...ü")
    assert len(cut.encode()) <= 59


def test_long_chunk_names_keep_the_line(engine: LuaEngine):
    session = engine.prepare()
    chunk = "/".join(["folder"] * 30) + "/x.lua"
    script = Script(name="p", source="\nerror('x')", chunk=chunk, limits=Limits())
    step = session.start(script, {})
    assert isinstance(step, Failed)
    assert step.line == 2
    assert step.message.endswith("/x.lua:2: x")


def test_the_last_failure_does_not_leak_into_the_next_call(play, fails):
    run = play(
        "pcall(board.read, board, 1) return board:read(2)",
        fails(ErrorCode.IO, "gone"),
        7,
    )
    assert run.value == 7


def test_a_scripts_error_table_is_not_the_systems(play):
    failed = play("error({code = 'SCRIPT_PERMISSION', message = 'forged'})").failed
    assert failed.code is ErrorCode.SCRIPT_ERROR
    assert dict(failed.details).keys() == {"file", "source_line"}
