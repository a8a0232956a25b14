"""The prelude: which parts it has, and that late ones cannot be told from the others."""

from importlib.resources import files

import pytest

from loki.core.run.engine import Failed, Finished, Flush
from loki.errors import ErrorCode
from loki.lua import prelude
from loki.messages.script import Script

KIB = 1024

USES = {
    "codec": "return {list = loki.array(), data = loki.bytes('\\xff'), name = params.name, "
    "deep = {{1.5}}}",
    "coroutine": "local co = coroutine.wrap(function(a) return coroutine.yield(a) end) "
    "co(1) return {co(2), coroutine.isyieldable(), (select(2, coroutine.running()))}",
    "excerpt": "error({code = 5, 'text', {{}}})",
    "failure": "local ok, e = pcall(board.ping) return {ok, e.code, tostring(e)}",
    "load": "return {load('return ...')('text'), load(('return 7'):gmatch('.'))(), "
    "(load('(')) == nil}",
    "module": "local ok, e = pcall(require, 'none') return {require('math') == math, ok, type(e)}",
    "output": "print('a', 1) print(('x'):rep(100)) return {}",
    "service": "return {board:ping(), board:read(4), tostring(board):match('%a+')}",
    "together": "return loki.all{function() return board:ping() end, function() return 2 end}",
    "unwinding": "collectgarbage() "
    "return {pcall(coroutine.wrap(function() coroutine.yield(1) end))}",
    "xpcall": "return {xpcall(error, function(e) return 'got ' .. e end, 'it')}",
}
"""For each late part, a script that first uses it under the memory limit."""


def run(engine, source, heap_bytes):
    """The last step of a script whose heap may grow to `heap_bytes`, and what it printed."""
    session = engine.prepare()
    session.confine(heap_bytes)
    step = session.start(Script(name="probe", source=source, chunk="probe.lua"), {"name": "n"})
    output = session.take_output()
    while not isinstance(step, Finished | Failed):
        tickets = [step.ticket] if hasattr(step, "ticket") else []
        step = session.resume(None if isinstance(step, Flush) else 5, *tickets)
        output += session.take_output()
    session.close()
    return step, output


def test_every_part_is_in_the_bytecode():
    parts = {prelude.FIRST, *prelude.NEXT, *(f"{name}.lua" for name in prelude.LATE)}
    assert parts == {f.name for f in files("loki.lua").iterdir() if f.name.endswith(".lua")}
    assert set(USES) == set(prelude.LATE)


@pytest.mark.parametrize("source", USES.values(), ids=USES)
def test_memory_may_run_out_at_any_allocation_of_a_late_part(engine, source):
    """Every 16 bytes another allocation is the first that fails."""
    whole, printed = run(engine, source, 1024 * KIB)
    assert isinstance(whole, Finished) or whole.code is ErrorCode.SCRIPT_ERROR, whole
    heap_bytes, done = 0, False
    while heap_bytes < 64 * KIB and not done:
        step, output = run(engine, source, heap_bytes)
        done = step == whole
        assert done or (isinstance(step, Failed) and step.code is ErrorCode.MEMORY_BUDGET), step
        assert printed.startswith(output)
        heap_bytes += 16
    assert done
    assert output == printed


OVERFLOWS = {
    "calls": "local function f() return 1 + f() end f()",
    "metamethods": "local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k) "
    "return s[k .. 'x'] end return t.a",
    "callbacks": "local function f() return ('x'):gsub('x', f) end f()",
    "coroutines": "local function f() return coroutine.wrap(f)() end f()",
}


@pytest.mark.parametrize("source", OVERFLOWS.values(), ids=OVERFLOWS)
def test_an_overflow_of_the_stack_is_described_although_that_needs_a_part(play_apart, source):
    failed = play_apart(source, max_memory_mb=256).failed
    assert failed.code is ErrorCode.SCRIPT_ERROR
    assert "stack overflow" in failed.message


def test_nothing_shows_that_a_part_was_loaded(play):
    before = """
    local seen = {}
    local function look(t)
      local names = {}
      for name, value in pairs(t) do names[#names + 1] = name .. '=' .. tostring(value) end
      table.sort(names)
      return table.concat(names, ' ')
    end
    local function state()
      return look(_G) .. look(coroutine) .. tostring(getmetatable(_G)) ..
        tostring(getmetatable(coroutine))
    end
    local first = state()
    """
    uses = "".join(f"pcall(function() {source} end)\n" for source in USES.values())
    assert play(f"{before}{uses} return first == state()", *[5] * 20).value is True


def test_late_parts_take_nothing_from_what_a_script_may_change(play):
    spoil = """
    for _, library in ipairs{string, table, math, utf8, coroutine, os} do
      for name in pairs(library) do library[name] = nil end
    end
    local load, xpcall, board, loki = load, xpcall, board, loki
    local globals = _G
    for name in pairs(globals) do globals[name] = nil end
    local ok, e = xpcall(load, function(e) return e end, 'return 1')
    return {ok, e(), board:ping(), loki.bytes('x'), loki.array()}
    """
    assert play(spoil, 5).value == [True, 1, 5, b"x", []]


HIDING = (
    "for _ = 1, 300 do hog = {hog} end local meta, told = {} local mask = setmetatable({}, meta) "
    "meta.__close = function(_, e) hog, told = nil, e error('mine', 0) end "
)
PROTECTED = {
    "pcall": "pcall(function() local c <close> = mask error('r', 0) end)",
    "xpcall": "xpcall(function() local c <close> = mask error('r', 0) end, tostring)",
    "in a coroutine": "coroutine.wrap(function() pcall(function() local c <close> = mask "
    "error('r', 0) end) end)()",
}


@pytest.mark.parametrize("source", PROTECTED.values(), ids=PROTECTED)
def test_memory_may_run_out_while_an_error_is_heard(engine, source):
    """What the `__close` handler is told tells whether it did; it frees what all else needs."""
    heap_bytes, step = 20 * KIB, None
    while heap_bytes < 64 * KIB and not isinstance(step, Finished):
        step, _ = run(engine, f"{HIDING}{source} return told", heap_bytes)
        heap_bytes += 16
        assert isinstance(step, Finished) or step.code is ErrorCode.MEMORY_BUDGET, step
    assert step == Finished("r")
