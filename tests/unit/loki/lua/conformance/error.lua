--@ pcall gives results or the error
print(pcall(function(...) return ... end, 1, nil, 3)) print(pcall(error)) print(pcall(error, nil)) print(pcall(error, 'm')) print(pcall(error, 'm', 0))
print(select('#', pcall(error))) print(pcall(pcall, error, 'x')) print(pcall(5)) print(pcall(nil))
--@ levels
local function f(level) error('msg', level) end
local function g(level)
  f(level)
end
for level = 0, 3 do
  local ok, e = pcall(function()
    g(level)
  end)
  print(level, e)
end
--@ error objects
local o = {code = 7} local ok, e = pcall(error, o) print(e == o, e.code)
for _, v in ipairs {1, 2.5, true, 'x'} do print(pcall(error, v)) end
print(pcall(error, setmetatable({}, {__tostring = function() return 'shown' end})))
--@ an error object goes through levels of pcall
local o = {} print(select(3, pcall(pcall, error, o)) == o, select(2, pcall(function() local ok, e = pcall(error, o) error(e) end)) == o)
--@ numbers get no position
print(pcall(function() error(42) end)) print(pcall(function() error(4.5, 1) end)) print(pcall(function() error('42') end))
--@ assert
print(assert(1, 2, 3)) print(pcall(assert, false)) print(pcall(assert, nil, 'm')) print(pcall(assert, false, {}) == false)
print(pcall(function() assert(false) end)) print(pcall(function() assert(nil, 'msg') end)) print(pcall(function() assert(false, nil) end)) print(assert('v'))
print(pcall(function() assert(false, 42) end)) print(select('#', assert(true, nil, nil)))
--@ xpcall
print(xpcall(function(...) return ... end, print, 1, 2)) print(xpcall(error, function(e) return 'h:' .. tostring(e) end, 'm', 0))
print(xpcall(function() local x = {} .. 'a' end, function(e) return e:upper() end)) print(xpcall(error, function() return 1, 2, 3 end))
print(pcall(xpcall, print)) print(xpcall(function() error() end, function(e) return e == nil end))
--@ a handler that raises
print((xpcall(error, function(e) error('again') end, 'x'))) print((xpcall(error, error, 'x')))
--@ nested xpcall
print(xpcall(function() return xpcall(error, function(e) return 'in ' .. e end, 'a', 0) end, function(e) return 'out' end))
print(xpcall(function() xpcall(error, function(e) return e end, 'a', 0) error('b', 0) end, function(e) return 'out ' .. e end))
--@ errors name what they are about
local t = {} local up = nil
print(pcall(function() return t.a.b end)) print(pcall(function() return up.x end)) print(pcall(function() t.x() end)) print(pcall(function() up() end))
print(pcall(function() t:m() end)) print(pcall(function() return t < 1 end)) print(pcall(function() return -up end)) print(pcall(function() return t.a + 1 end))
print(pcall(function() local x = 'a' x.y.z = 1 end)) print(pcall(function() return 1 & 1.5 end)) print(pcall(function() return ('x')['y']['z'] end))
print(pcall(function() return t[up][1] end)) print(pcall(function() t[nil] = 1 end)) print(pcall(function() return math.foo(1) end)) print(pcall(function() string.foo.bar() end))
--@ arguments of library functions
print(pcall(function() ('x'):rep({}) end)) print(pcall(function() ('x'):rep() end)) print(pcall(function() math.floor('x') end)) print(pcall(function() math.floor({}) end))
print(pcall(function() table.concat() end)) print(pcall(function() setmetatable({}) end)) print(pcall(function() string.char(-1) end)) print(pcall(function() string.sub() end))
print(pcall(function() tonumber() end)) print(pcall(function() ipairs() end)) print(pcall(function() rawset({}) end)) print(pcall(function() select() end))
print(pcall(function() utf8.char('x') end)) print(pcall(function() os.time({}) end)) print(pcall(function() math.random(0.5) end)) print(pcall(function() ('x').rep() end))
--@ library functions called by pcall keep their names
print(pcall(tonumber)) print(pcall(ipairs)) print(pcall(rawlen, 5)) print(pcall(select)) print(pcall(next)) print(pcall(string.rep)) print(pcall(math.floor)) print(pcall(type)) print(pcall(table.concat)) print(pcall(rawequal, 1)) print(pcall(os.time, 1)) print(pcall(utf8.len))
--@ lines of multi-line statements
print(pcall(function()
  local a = 1
  local b = a +
    nil
end))
print(pcall(function()
  local t = {
    x = 1,
    y = undefined.z,
  }
end))
print(pcall(function() print(
  1,
  error('in arguments')
) end))
--@ errors in nested functions
local function c() error('deep') end local function b() c() end local function a() b() end print(pcall(a))
--@ try, catch, finally
local function try(f, catch, finally) local r = table.pack(pcall(f)) if not r[1] and catch then r = table.pack(true, catch(r[2])) end if finally then finally() end return table.unpack(r, 2, r.n) end
print(try(function() error({kind = 'io'}) end, function(e) return 'caught ' .. e.kind end, function() print('finally') end))
--@ rethrow keeps the text
local ok, e = pcall(function() local ok, e = pcall(error, 'original') error(e, 0) end) print(e)
local ok, e = pcall(function() local ok, e = pcall(function() error('original') end) error(e) end) print(e)
--@ pcall inside coroutines inside pcall
print(pcall(function() local co = coroutine.wrap(function() print(pcall(error, 'a')) coroutine.yield(1) error('b') end) co() co() end))
--@ close handlers run in order
local function guard(n) return setmetatable({}, {__close = function(_, e) print('close', n, e) end}) end
do local a <close> = guard('a') local b <close> = guard('b') print('body') end
print(pcall(function() local a <close> = guard('x') local b <close> = guard('y') error('boom') end))
local function f() local a <close> = guard('r') return 1, 2, 3 end print(f())
--@ close on break, goto and return
local function guard(n) return setmetatable({}, {__close = function() print('close', n) end}) end
for i = 1, 3 do local g <close> = guard(i) if i == 2 then break end end
do ::top:: local g <close> = guard('g') if not done then done = true goto top end end
--@ close replaces errors
local function raising(n) return setmetatable({}, {__close = function(_, e) error(n .. '<' .. tostring(e), 0) end}) end
print(pcall(function() local a <close> = raising('a') local b <close> = raising('b') error('first', 0) end))
print(pcall(function() local a <close> = raising('a') return 'value' end))
--@ what may be closed
local n <close> = nil local f <close> = false print('fine') print(pcall(function() local x <close> = 5 end)) print(pcall(function() local x <close> = {} end))
--@ close with a yield
local co = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function() coroutine.yield('closing') end}) return 'done' end) print(co()) print(co())
--@ an uncaught error ends the program
print('before')
local t = nil
print(t.x)
--@ an uncaught error with a text
print('before')
local function fail() error('custom failure') end
fail()
--@ an uncaught error at level 2
local function check(v)
  if not v then error('not v', 2) end
end
check(true)
check(false)
--@ an uncaught error from a library
return ('x'):rep(-1, {})
--@ an uncaught number
error(42)
--@ an uncaught error through a coroutine
local co = coroutine.wrap(function()
  error('inside')
end)
co()
--@ an uncaught error of a called method
local object = {}
object:method()
