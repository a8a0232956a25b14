--@ values go both ways
local co = coroutine.create(function(a, b) print('start', a, b) local c, d = coroutine.yield(a + b) print('got', c, d) return 'end', c * d end)
print(coroutine.resume(co, 1, 2)) print(coroutine.resume(co, 3, 4)) print(coroutine.resume(co)) print(coroutine.status(co))
--@ status
local co co = coroutine.create(function() print(coroutine.status(co)) local inner = coroutine.create(function() print(coroutine.status(co)) end) coroutine.resume(inner) coroutine.yield() end)
print(coroutine.status(co)) coroutine.resume(co) print(coroutine.status(co)) coroutine.resume(co) print(coroutine.status(co))
--@ wrap
local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i, i * i) end return 'last' end)
print(gen()) print(gen()) print(gen()) print(gen()) print(pcall(gen))
--@ errors come out of resume
local co = coroutine.create(function() error('oops') end) print(coroutine.resume(co)) print(coroutine.status(co), coroutine.resume(co))
print(coroutine.resume(coroutine.create(function() error({code = 5}) end)) == false)
print(coroutine.resume(coroutine.create(function() error('bare', 0) end)))
print(coroutine.resume(coroutine.create(function() local x = nil + 1 end)))
--@ errors come through wrap
print(pcall(coroutine.wrap(function() error('oops') end)))
print(pcall(function() coroutine.wrap(function() error('inner') end)() end))
print(pcall(function() local f = coroutine.wrap(function() error({}) end) f() end) == false)
print(pcall(function() local f = coroutine.wrap(function() error(42) end) f() end))
--@ yield across pcall
local co = coroutine.wrap(function() local ok, e = pcall(function() local v = coroutine.yield('in') error('after ' .. v) end) coroutine.yield(e) return ok end)
print(co()) print(co('x')) print(co())
--@ yield across xpcall and its handler
local co = coroutine.wrap(function() return xpcall(function() coroutine.yield(1) error('e') end, function(m) return 'handled ' .. m end) end)
print(co()) print(co())
--@ yield from an iterator
local function iter() return coroutine.wrap(function() for _, v in ipairs {'a', 'b'} do coroutine.yield(v) end end) end
for v in iter() do for w in iter() do print(v, w) end end
--@ yield outside of a coroutine
print(pcall(coroutine.yield)) print(coroutine.isyieldable())
--@ running
local co, main = coroutine.running() print(type(co), main)
coroutine.wrap(function() local co, main = coroutine.running() print(type(co), main, coroutine.isyieldable()) end)()
--@ resume of what cannot be resumed
local co co = coroutine.create(function() return coroutine.resume(co) end) print(coroutine.resume(co))
print(coroutine.resume(coroutine.running()))
local co = coroutine.wrap(function() return pcall(coroutine.wrap(print)) end) print(co())
print(select('#', coroutine.resume(coroutine.create(function() end))))
--@ close
local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() print('closing') end}) coroutine.yield() end)
coroutine.resume(co) print(coroutine.close(co), coroutine.status(co)) print(coroutine.close(co)) print(coroutine.resume(co))
print(coroutine.close(coroutine.create(print)))
--@ close after an error
local co = coroutine.create(function() error('x') end) coroutine.resume(co) print(coroutine.close(co)) print(coroutine.close(co))
--@ close that raises
local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() error('c') end}) coroutine.yield() end)
coroutine.resume(co) print(coroutine.close(co)) print(coroutine.status(co))
--@ close of what runs
print(pcall(coroutine.close, coroutine.running()))
local co co = coroutine.create(function() return pcall(coroutine.close, co) end) print(coroutine.resume(co))
--@ arguments are checked
print(pcall(coroutine.create, 1)) print(pcall(function() coroutine.status() end)) print(pcall(function() coroutine.resume(1) end))
print(pcall(function() coroutine.wrap() end)) print(pcall(function() coroutine.close({}) end))
--@ yield many values
local t = {} for i = 1, 200 do t[i] = i end
local co = coroutine.wrap(function(...) coroutine.yield(...) coroutine.yield() return nil, nil end)
print(select('#', co(table.unpack(t))), select('#', co()), select('#', co()))
--@ nested coroutines
local function gen(n) return coroutine.wrap(function() if n > 0 then for v in gen(n - 1) do coroutine.yield(v + 1) end end coroutine.yield(n * 10) end) end
for v in gen(3) do print(v) end
--@ deep nesting ends in an error
local function nest(n) if n == 0 then return 'bottom' end return coroutine.wrap(nest)(n - 1) end
print(nest(50)) print((select(2, pcall(nest, 1000)):match('C stack overflow')))
--@ producer, filter, consumer
local function producer() return coroutine.create(function() for i = 1, 6 do coroutine.yield(i) end end) end
local function filter(p) return coroutine.create(function() while true do local ok, v = coroutine.resume(p) if not v then return end if v % 2 == 0 then coroutine.yield(v) end end end) end
local f = filter(producer()) while true do local ok, v = coroutine.resume(f) if not v then break end print(v) end
--@ a scheduler
local log, tasks = {}, {} for id = 1, 3 do tasks[id] = coroutine.create(function() for step = 1, id do log[#log + 1] = id .. '.' .. step coroutine.yield() end end) end
while #tasks > 0 do for i = #tasks, 1, -1 do coroutine.resume(tasks[i]) if coroutine.status(tasks[i]) == 'dead' then table.remove(tasks, i) end end end
print(table.concat(log, ' '))
--@ yield in a sort comparator, a gsub callback and a metamethod of a library
print(coroutine.resume(coroutine.create(function() table.sort({3, 2, 1}, coroutine.yield) end)))
print(coroutine.resume(coroutine.create(function() ('x'):gsub('x', coroutine.yield) end)))
print(coroutine.resume(coroutine.create(function() tostring(setmetatable({}, {__tostring = coroutine.yield})) end)))
print(coroutine.resume(coroutine.create(function() load(coroutine.yield) end)))
--@ a coroutine that is its own value
local co co = coroutine.create(function() coroutine.yield(co) return co end) local _, a = coroutine.resume(co) local _, b = coroutine.resume(co) print(a == co, b == co)
--@ wrap closes what it leaves by an error
local co = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function(_, e) print('closed by', e) end}) error('boom') end) print(pcall(co))
local co = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function(_, e) error('second') end}) error('first') end) print(pcall(co))
--@ coroutines of library functions
print(coroutine.wrap(print)(1, 2)) print(coroutine.resume(coroutine.create(string.rep), 'x', 3)) print(coroutine.wrap(pcall)(error, 'z'))
print(coroutine.resume(coroutine.create(coroutine.yield), 1, 2)) print(coroutine.wrap(coroutine.running)() ~= nil)
--@ thousands of coroutines
local n = 0 for i = 1, 3000 do local co = coroutine.wrap(function(a) n = n + a n = n + coroutine.yield() end) co(i) co(1) end print(n)
