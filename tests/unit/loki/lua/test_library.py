"""Wrapped functions of Lua against the plain ones: the same source, the same outcome."""

import pytest
from lupa import lua54

from loki.core.run.engine import Finished

JUDGE = r"""
local f, e = load({source}, "@t.lua")
if not f then return e end
local r = table.pack(pcall(f))
for i = 1, r.n do r[i] = tostring(r[i]):gsub("0x%x+", "ADDRESS") end
return table.concat(r, " | ", 1, r.n)
"""

CASES = [
    "return pcall(error)",
    "return pcall(error, 'x')",
    "return pcall(error, 'x', 0)",
    "return pcall(function() error('x') end)",
    "return pcall(function() error('x', 2) end)",
    "return pcall(function() error() end)",
    "local function f() error('up', 2) end\nf()",
    "return pcall(assert, false)",
    "return pcall(assert, nil, 'm')",
    "return assert(1, 2, 3)",
    "assert(false)",
    "assert(false, 'm')",
    "return select('#', pcall(assert, false, nil))",
    "return xpcall(function() error('x') end, function(e) return 'h' .. e end)",
    "return xpcall(function(...) return ... end, print, 1, 2)",
    "return select('#', pcall(xpcall, print, error))",
    "local co = coroutine.wrap(function() error('x') end) return pcall(co)",
    "local co = coroutine.wrap(function() error('x') end) return pcall(function() co() end)",
    "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error('z' .. b) end)"
    " local a, b = coroutine.resume(co, 1) return a, b, coroutine.resume(co, 2)",
    "local co = coroutine.create(print) coroutine.resume(co) return coroutine.resume(co)",
    "return coroutine.resume(coroutine.create(error), 'x')",
    "return pcall(coroutine.create, 1)",
    "return pcall(coroutine.wrap(function() end))",
    "local co = coroutine.wrap(function() end) co() return pcall(co)",
    "return coroutine.isyieldable(), coroutine.isyieldable(coroutine.create(print))",
    "return select(2, coroutine.running())",
    "return coroutine.wrap(function() return select(2, coroutine.running()) end)()",
    "return pcall(coroutine.close, coroutine.running())",
    "local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = "
    "function() error('c') end}) coroutine.yield() end) coroutine.resume(co) "
    "return coroutine.close(co)",
    "local co = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = "
    "function(_, e) error('c' .. tostring(e)) end}) error('q') end) return pcall(co)",
    "local s = 0 for v in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) "
    "do s = s + v end return s",
    "local co = coroutine.wrap(function() return pcall(function() coroutine.yield(1) "
    "error('e') end) end) co() return co()",
    "local co = coroutine.wrap(function() return xpcall(function() coroutine.yield(1) "
    "error('e') end, function(e) return e .. '!' end) end) co() return co()",
    "local t = setmetatable({}, {__index = function(_, k) return coroutine.yield(k) end}) "
    "local co = coroutine.wrap(function() return t.foo end) co() return co(7)",
    "return load('return 1')()",
    "return load('x=')",
    "return load(function() return nil end)",
    "local t, i = {'return ', '4'}, 0 return load(function() i = i + 1 return t[i] end)()",
    "return load('return ...', 'n', 't', {})(5)",
    "return load('return a', 'n', 't', {a = 3})()",
    "return pcall(load('error(\"q\")', '=n'))",
    "return pcall(load('error(\"q\")'))",
    "return load('x', 'n', 'b')",
    "setmetatable(1, {})",
    "local t = nil setmetatable(t, {})",
    "return getmetatable(setmetatable({}, {__metatable = 'm'}))",
    "return pcall(setmetatable, setmetatable({}, {__metatable = 1}), {})",
    "local t = setmetatable({}, nil) return getmetatable(t)",
    "local t = setmetatable({}, {__newindex = error}) return rawget(rawset(t, 'a', 1), 'a')",
    "return math.type(collectgarbage('count')), collectgarbage()",
    "return ('%5.2f|%d|%s|%q'):format(3.14159, 42, 'x', 'y'), ('hello'):gsub('l', {l = 'L'})",
    "return '10' + 5, '3' * '4', 10 .. 20, #'abc', -'2'",
]


@pytest.mark.parametrize("source", CASES)
def test_s_4_2_1_what_is_wrapped_behaves_as_it_was(play, source):
    quoted = "[==[" + source + "]==]"
    judge = JUDGE.replace("{source}", quoted)
    plain = lua54.LuaRuntime(encoding=None, max_memory=0).execute(judge.encode())
    assert play(judge).end == Finished(plain.decode())
