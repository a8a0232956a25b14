"""Hostile scripts. Each runs in a process of its own, so that a crash or a hang is one failure.

Endless computations are not here: only the end of the process stops them, see tests/e2e.
"""

import pytest

from loki.core.run.engine import Call, Failed, Finished
from loki.errors import ErrorCode

GLOBALS = [
    f"return {name} == nil"
    for name in (
        *("dofile", "loadfile", "debug", "io", "package", "python", "warn", "jit"),
        *("string.dump", "os.execute", "os.exit", "os.getenv", "os.remove", "os.rename", "ffi"),
        *("os.tmpname", "os.setlocale", "loadstring", "unpack"),
    )
] + [
    "local n = 0 for k in pairs(_G) do n = n + 1 end return n < 40",
    "for _, v in pairs(_G) do if type(v) == 'userdata' then return false end end return true",
    "return _G._G == _G and _ENV == _G",
    "local ok = pcall(collectgarbage, 'stop') return not ok",
    "local ok = pcall(collectgarbage, 'setpause', 1000000) return not ok",
    "local ok = pcall(collectgarbage, 'generational') return not ok",
    "return _keep_frame == nil",
]

METATABLES = [
    "return getmetatable('') == false",
    "return not pcall(setmetatable, '', {})",
    "return not pcall(function() getmetatable('').__index = nil end)",
    "return not pcall(function() getmetatable('').__index.rep = nil end)",
    "return not pcall(setmetatable, print, {})",
    "return not pcall(setmetatable, coroutine.create(print), {})",
    "return getmetatable(print) == nil and getmetatable(1) == nil and getmetatable(nil) == nil",
    "string.rep = function() return 'mine' end return ('x'):rep(3) == 'mine'",
    # The prelude must not trip over a global table that bites.
    "setmetatable(_G, {__index = function(_, k) error('no ' .. k) end}) print('x') return true",
    "setmetatable(_G, {__newindex = error, __metatable = 1}) "
    "return not pcall(function() q = 1 end)",
    "for k in pairs(string) do string[k] = error end print('still') return true",
    "local g = _G for k in next, g do g[k] = nil end return true",
    "local p = pcall for k in pairs(table) do table[k] = nil end return (p(p, 1, 2))",
    "local b = board for _, t in pairs({table, string, math, utf8, os, coroutine}) do "
    "for k in next, t do t[k] = function() error('bitten') end end end return not b.ping(b)",
]

COROUTINES = [
    "return not pcall(coroutine.yield, 1)",
    "return not coroutine.isyieldable()",
    "local co, main = coroutine.running() return main",
    "local co = coroutine.running() return not coroutine.resume(co)",
    "local co = coroutine.running() return not pcall(coroutine.close, co)",
    "local root = coroutine.running() "
    "return coroutine.wrap(function() return not coroutine.resume(root) end)()",
    "local root = coroutine.running() "
    "return coroutine.wrap(function() return not pcall(coroutine.close, root) end)()",
    # What a request yields must not show.
    "local co = coroutine.create(function() board:ping() return 'end' end) "
    "local r = {coroutine.resume(co)} return #r == 2 and r[2] == 'end'",
    "local seen = 0 for v in coroutine.wrap(function() board:ping() coroutine.yield(1) end) do "
    "seen = seen + 1 end return seen == 1",
    "local co co = coroutine.create(function() return coroutine.resume(co) end) "
    "local _, inner = coroutine.resume(co) return inner == false",
    "local co = coroutine.create(function() board:ping() end) "
    "coroutine.resume(co) return coroutine.status(co) == 'dead' and coroutine.close(co)",
    "local co = coroutine.create(function() board:ping() end) return coroutine.close(co) "
    "and not coroutine.resume(co)",
    "local function nest(n) if n == 0 then return board:ping() end "
    "return coroutine.wrap(nest)(n - 1) end return not pcall(nest, 500)",
    "local t = {} for i = 1, 2000 do t[i] = coroutine.wrap(function() coroutine.yield() end) "
    "t[i]() end return true",
    "local ok, e = pcall(coroutine.wrap(error), {}) return not ok and type(e) == 'table'",
]

LOADING = [
    "local f, e = load('\\27Lua', 'x', 'b') return f == nil",
    "local f, e = load('\\27LuaT\\0\\x19\\x93\\r\\n\\x1a\\n') return f == nil",
    "local f, e = load('return 1', 'x', 'b') return f == nil",
    "local f, e = load('\\27Lua', 'x', 'bt') return f == nil and e:find('binary') ~= nil",
    "local parts = {'\\27', 'Lua'} local i = 0 "
    "return load(function() i = i + 1 return parts[i] end) == nil",
    "return load('return debug')() == nil and load('return _G')() == _G",
    "return load('return _ENV', 'x', 't', {a = 1})().a == 1",
    "return (load('x = 1 return x', 'n', 't', setmetatable({}, {__newindex = error}))) ~= nil",
    "local f, e = load(('x'):rep(300000)) return f == nil and e:find('256 KiB') ~= nil",
    "local f, e = load(function() return ('-'):rep(1000) end) return f == nil",
    "local f, e = load(function() error({}) end) return f == nil and type(e) == 'table'",
    "return load('return ' .. ('('):rep(500) .. '1' .. (')'):rep(500)) == nil",
    "return load('local a <close> = 1')  ~= nil and not pcall(load('local a <close> = 1'))",
    "local s = 'return {' .. ('{},'):rep(50000) .. '}' return #load(s)() == 50000",
    "local s = {} for i = 1, 300 do s[i] = 'local a' .. i end "
    "return load(table.concat(s, ' ')) == nil",
]

STRINGS = [
    "return not pcall(string.rep, 'x', math.maxinteger)",
    "return not pcall(string.rep, 'x', 1 << 40)",
    "return not pcall(string.format, '%' .. ('9'):rep(50) .. 'd', 1)",
    "return not pcall(string.format, '%y', 1)",
    "return #string.format('%99.99f', 1e308) > 300",
    "return not pcall(string.find, 'x', ('('):rep(50))",
    "return not pcall(string.find, ('x'):rep(300000), ('x?'):rep(300000) .. ('x'):rep(10), 1)",
    "return not pcall(string.gsub, 'x', '.', '%2')",
    "return not pcall(string.gsub, 'x', '%', '')",
    "return not pcall(string.pack, 's1', ('x'):rep(300))",
    "return not pcall(string.unpack, 's8', '\\255\\255\\255\\255\\255\\255\\255\\127')",
    "return not pcall(string.pack, 'i17', 1)",
    "return not pcall(utf8.char, -1)",
    "return not pcall(table.concat, {1, {}, 3})",
    "return not pcall(table.unpack, {}, 1, 1e8)",
    "return not pcall(select, -1)",
    "return not pcall(os.date, '%Ez')",
    "return not pcall(os.time, {year = math.maxinteger, month = 1, day = 1})",
    "return not pcall(table.sort, {1, 2, 3, 4, 5}, function() return true end) or true",
    "return tostring(2^63) == '9.2233720368548e+18' and math.tointeger('x') == nil",
]

ERROR_OBJECTS = [
    "local ok, e = pcall(error) return not ok and e == nil",
    "return not pcall(function() return board.raed end)",
    "local ok, e = pcall(board.read, board) return getmetatable(e) == false",
    "local ok, e = pcall(board.read, board) return not pcall(setmetatable, e, {})",
    "local ok, e = pcall(board.read, board) e.code = {} e.message = nil "
    "return tostring(e):find('nil') ~= nil",
    "local ok, e = pcall(board.read, board) e.message = setmetatable({}, {__tostring = error}) "
    "return not pcall(tostring, e)",
    "return not xpcall(error, function(e) error(e) end)",
    "return not xpcall(error, function() return pcall(board.ping, board) end)",
    "local depth = 0 xpcall(error, function(e) depth = depth + 1 error(e) end) return depth > 0",
    "return select('#', pcall(error, nil)) == 2",
    "local e = setmetatable({}, {__index = function() error('x') end, __eq = error}) "
    "return select(2, pcall(error, e)) ~= nil",
]

CLOSING = [
    "local n = 0 do local a <close> = setmetatable({}, {__close = function() n = n + 1 end}) end "
    "return n == 1",
    "local ok, e = pcall(function() local a <close> = setmetatable({}, {__close = error}) end) "
    "return not ok",
    "return pcall(function() local a <close> = setmetatable({}, {__close = function() "
    "board:ping() end}) end)",
    "local ok, e = pcall(function() "
    "local a <close> = setmetatable({}, {__close = function() error('second', 0) end}) "
    "error('first', 0) end) return e == 'second'",
    "local co = coroutine.create(function() "
    "local a <close> = setmetatable({}, {__close = function() board:ping() end}) "
    "coroutine.yield() end) coroutine.resume(co) "
    "local ok, e = coroutine.close(co) return not ok and e.code == 'UNSUPPORTED'",
    "return not pcall(setmetatable, {}, {__gc = print})",
    "return not pcall(setmetatable, {}, {__gc = false})",
    "local m = {} local t = setmetatable({}, m) m.__gc = function() leaked = true end "
    "t = nil collectgarbage() collectgarbage() return leaked == nil",
    "local m = {} setmetatable({}, m) m.__gc = print return not pcall(setmetatable, {}, m)",
    "local m = setmetatable({}, {__index = {__gc = function() leaked = true end}}) "
    "do local t = setmetatable({}, m) end collectgarbage() return leaked == nil",
    "local w = setmetatable({}, {__mode = 'k'}) w[{}] = 1 collectgarbage() return next(w) == nil",
]

API = [
    "return next(board) == nil and next(loki) == nil",
    "return getmetatable(board) == false and getmetatable(loki) == false",
    "return not pcall(function() board.read = print end)",
    "return not pcall(function() loki.sleep = print end)",
    "return not pcall(setmetatable, board, {})",
    "return not pcall(setmetatable, loki.null, {}) and not pcall(function() loki.null.x = 1 end)",
    "return not pcall(setmetatable, loki.bytes('x'), {}) and #loki.bytes('abc') == 3",
    "return not pcall(board.read, {}, 1)",
    "return not pcall(board.read, nil, 1)",
    "return not pcall(board.read, setmetatable({}, {__eq = function() return true end}), 1)",
    "return board[1] == nil and board[{}] == nil and board[true] == nil",
    "for k in pairs(board) do return false end for _ in ipairs(board) do return false end "
    "return true",
    "return type(board) == 'table' and rawlen(board) == 0",
    "local n = 0 for i = 1, 300 do n = n + (pcall(function() return board['f' .. i] end) "
    "and 1 or 0) end return n == 0",
    "return not pcall(function() return board[('x'):rep(100000)] end)",
    "return not pcall(board.set, board, 'k', _G)",
    "return not pcall(board.set, board, 'k', {board.read})",
    "return not pcall(rawset, board, 'read', 5)",
]

FAMILIES = {
    "globals": GLOBALS,
    "metatables": METATABLES,
    "coroutines": COROUTINES,
    "loading": LOADING,
    "strings": STRINGS,
    "error objects": ERROR_OBJECTS,
    "closing": CLOSING,
    "api": API,
}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(source, id=f"{family}-{number}")
        for family, sources in FAMILIES.items()
        for number, source in enumerate(sources)
    ],
)
def test_s_4_2_1_a_hostile_script_gets_nowhere(play_apart, source):
    assert play_apart(source, max_memory_mb=32).end == Finished(True), source


BOMB = "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"

MEMORY_BOMBS = [
    BOMB,
    f"pcall(function() {BOMB} end) return 'survived'",
    f"while true do pcall(function() {BOMB} end) end",
    f"xpcall(function() {BOMB} end, function() return 'handled' end) return 'survived'",
    f"return coroutine.resume(coroutine.create(function() {BOMB} end))",
    f"return pcall(coroutine.wrap(function() {BOMB} end))",
    f"coroutine.wrap(function() pcall(coroutine.wrap(function() {BOMB} end)) end)() return 1",
    f"table.sort({{3, 2, 1}}, function() pcall(function() {BOMB} end) return false end) return 1",
    f"string.gsub('abc', '.', function() pcall(function() {BOMB} end) end) return 1",
    "return load(function() return ('x'):rep(1 << 24) end)",
    "local s = 'x' while true do s = s .. s end",
    "return pcall(string.rep, 'x', 1 << 30)",
    "return pcall(table.concat, setmetatable({}, {__len = function() return 1e5 end, "
    "__index = function() return ('x'):rep(1000) end}))",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local t = {} while true do t = {t} end",
    "local t = {} while true do t[#t + 1] = coroutine.create(print) end",
    "local t = {} while true do t[#t + 1] = load('return ' .. #t) end",
    "local function f(...) return f(1, ...) end f()",
    "local t = {} for i = 1, 1e9 do t[i] = select(2, pcall(board.read)) end",
    "local t = {} for i = 1, 1e9 do t[i] = loki.bytes('x') end",
    "local t = {} for i = 1, 1e9 do t[i] = loki.array() end",
    "local t = {} for i = 1, 3e5 do t[i] = 'k' .. i end return t",
    f"error(setmetatable({{}}, {{__tostring = function() {BOMB} end}}))",
    f"local x <close> = setmetatable({{}}, {{__close = function() {BOMB} end}}) return 1",
    f"local x <close> = setmetatable({{}}, {{__close = function() {BOMB} end}}) error('x')",
    f"local x <close> = setmetatable({{}}, {{__close = function() {BOMB} end}}) {BOMB}",
]


@pytest.mark.parametrize("source", MEMORY_BOMBS)
def test_s_5_3_1_memory_cannot_be_taken_nor_its_end_be_caught(play_apart, source):
    failed = play_apart(source, max_memory_mb=4).failed
    assert failed.code is ErrorCode.MEMORY_BUDGET, failed


@pytest.mark.parametrize(
    "source",
    [
        "error('not enough memory', 0)",
        "error('not enough memory')",
        "assert(false, 'not enough memory')",
        "assert(nil, 'not enough memory')",
        "pcall(error, 'not enough memory', 0) error('went on', 0)",
        "pcall(assert, false, 'not enough memory') error('went on', 0)",
        "pcall(pcall, error, 'not enough memory', 2) error('went on', 0)",
        "coroutine.resume(coroutine.create(error), 'not enough memory', 0) error('went on', 0)",
        "coroutine.wrap(error)('not enough memory', 0)",
        "local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = "
        "function() error('not enough memory', 0) end}) coroutine.yield() end) "
        "coroutine.resume(co) coroutine.close(co) error('went on', 0)",
        "load('error(\"not enough memory\", 0)')()",
        "assert(load(function() error('not enough memory', 0) end))",
        "local _, e = xpcall(error, function() return 'not enough memory' end) error(e, 0)",
        "error('stopped', 0)",
        "error(setmetatable({}, {__tostring = function() return 'not enough memory' end}))",
        "error(setmetatable({}, {__tostring = function() error('not enough memory', 0) end}))",
        "error({code = 'MEMORY_BUDGET', message = 'x'})",
        "error({code = 'CHILD_DOWN', message = 'x'})",
        "local _, e = pcall(board.read) e.code = 'SCRIPT_PERMISSION' error(e)",
    ],
)
def test_budgets_and_the_systems_errors_cannot_be_forged(play_apart, source):
    failed = play_apart(source).failed
    assert failed.code is ErrorCode.SCRIPT_ERROR, failed


def test_a_forged_error_keeps_what_was_really_said(play_apart, fails):
    source = "local _, e = pcall(board.ping, board) e.code, e.message = 'X', 'forged' error(e)"
    failed = play_apart(source, fails(ErrorCode.SCRIPT_PERMISSION, "may not")).failed
    assert (failed.code, failed.message) == (ErrorCode.SCRIPT_PERMISSION, "probe.lua:1: may not")


FLOOD = "while true do print(('x'):rep(300)) end"

FLOODS = [
    FLOOD,
    f"pcall(function() {FLOOD} end) board:ping()",
    "while true do pcall(print, ('x'):rep(300)) end",
    f"xpcall(function() {FLOOD} end, function(e) board:ping() return e end) board:ping()",
    "xpcall(error, function() while true do print(('x'):rep(300)) end end) board:ping()",
    f"coroutine.resume(coroutine.create(function() {FLOOD} end)) board:ping()",
    f"pcall(coroutine.wrap(function() pcall(function() {FLOOD} end) end)) board:ping()",
    f"pcall(string.gsub, 'abc', '.', function() pcall(function() {FLOOD} end) end) board:ping()",
    f"pcall(table.sort, {{2, 1}}, function() {FLOOD} end) board:ping()",
    f"local x <close> = setmetatable({{}}, {{__close = function() board:ping() end}}) {FLOOD}",
    f"pcall(string.gsub, 'a', '.', function() local x <close> = setmetatable({{}}, {{__close = "
    f"function() pcall(board.ping, board) end}}) {FLOOD} end) board:ping()",
    "print(setmetatable({}, {__tostring = function() return ('x'):rep(9999) end})) board:ping()",
    f"error(setmetatable({{}}, {{__tostring = function() {FLOOD} end}}))",
]


@pytest.mark.parametrize("source", FLOODS)
def test_s_5_3_1_a_flood_of_output_ends_and_nothing_happens_after_it(play_apart, source):
    run = play_apart(source, max_output_kb=4)
    assert run.failed.code is ErrorCode.OUTPUT_BUDGET, run.end
    assert run.calls == []
    assert len(run.output) == 4096
    assert set(run.output) <= {"x", "\n"}


LEAKS = [
    ("leaked = 1", "return leaked == nil"),
    ("string.leaked = 1", "return string.leaked == nil and ('').leaked == nil"),
    ("math.random = nil", "return math.random ~= nil"),
    ("pcall(rawset, board, 'read', 1)", "return rawget(board, 'read') == nil"),
    ("pcall(rawset, loki.null, 'x', 1)", "return rawget(loki.null, 'x') == nil"),
    ("_G.print = nil", "return print ~= nil"),
    ("setmetatable(_G, {__index = {leaked = 1}})", "return leaked == nil"),
    ("table.insert(table, 1)", "return table[1] == nil"),
    ("params.x = 1", "return params.x == nil"),
    ("error('x')", "return true"),
    ("local t = os.clock() while os.clock() - t < 0.3 do end", "return os.clock() < 0.2"),
    (
        "coroutine.create(print)",
        "return coroutine.running() ~= nil and coroutine.isyieldable() == false",
    ),
    ("loki.emit({leaked = 1})", "return #loki.array() == 0 and next(params) == nil"),
    ("error(setmetatable({}, {__index = {leaked = 1}}))", "return getmetatable(params) == nil"),
    ("loki.array(_G) _G.leaked = 1", "return leaked == nil"),
    ("while true do print('flood') end", "print('ok') return true"),
    (BOMB, "return collectgarbage('count') < 300"),
]


@pytest.mark.parametrize(("first", "second"), LEAKS)
def test_nothing_of_one_run_is_left_for_the_next(play, first, second):
    play(first, max_output_kb=1, max_memory_mb=2)
    assert play(second).end == Finished(True)


def test_random_numbers_differ_between_runs(play):
    draws = {play("return math.random(0)").value for _ in range(5)}
    assert len(draws) == 5


@pytest.mark.parametrize("memory_kb", [1, 3, 10, 30, 60, 100, 300])
@pytest.mark.parametrize(
    "source",
    [
        "local t = {} while true do t[#t + 1] = board:set('k', {t[#t]}) or #t print(#t) end",
        "local t = {} while true do t[#t + 1] = select(2, pcall(board.ping, board)) end",
        "local t = {} while true do loki.emit(('x'):rep(#t)) t[#t + 1] = {loki.now()} end",
        BOMB,
    ],
)
def test_the_host_survives_calls_at_any_distance_from_the_limit(
    play_apart, monkeypatch, fails, source, memory_kb
):
    from loki.lua.sandbox import Sandbox

    begin = Sandbox.begin
    monkeypatch.setattr(
        Sandbox,
        "begin",
        lambda self, *arguments, **named: begin(
            self, *arguments, **(named | {"memory": memory_kb * 1024})
        ),
    )
    answers = ["x" * 5000, fails(ErrorCode.IO, "y" * 3000), None, [1, 2, 3]] * 500
    end = play_apart(source, *answers, steps=3000).end
    assert isinstance(end, Call | Failed)
    if isinstance(end, Failed):
        assert end.code in (ErrorCode.MEMORY_BUDGET, ErrorCode.SCRIPT_ERROR)
