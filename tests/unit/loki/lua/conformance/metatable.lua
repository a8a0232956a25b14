--@ arithmetic
local log = {}
local mt = {} for _, n in ipairs {'add', 'sub', 'mul', 'div', 'mod', 'pow', 'unm', 'idiv', 'band', 'bor', 'bxor', 'shl', 'shr', 'bnot', 'concat'} do mt['__' .. n] = function(a, b) return n .. type(a) .. type(b) end end
local a = setmetatable({}, mt)
print(a + 1, 1 - a, a * a, a / 2, a % 2, a ^ 2, -a, a // 2, a & 1, 1 | a, a ~ 1, a << 1, 1 >> a, ~a, a .. 'x', 'x' .. a, 1 .. a)
--@ the first operand's metamethod wins
local a = setmetatable({}, {__add = function() return 'a' end}) local b = setmetatable({}, {__add = function() return 'b' end})
print(a + b, b + a, 1 + b, a + 1, pcall(function() return a - b end))
--@ comparison
local mt = {__lt = function(a, b) return a.v < b.v end, __le = function(a, b) return a.v <= b.v end, __eq = function(a, b) return a.v == b.v end}
local function v(n) return setmetatable({v = n}, mt) end
print(v(1) < v(2), v(1) > v(2), v(1) <= v(1), v(2) >= v(3), v(1) == v(1), v(1) ~= v(2), v(1) == 1)
print(pcall(function() return v(1) < 2 end))
--@ results of comparisons are booleans
local t = setmetatable({}, {__lt = function() return 'yes' end, __eq = function() return 1 end}) print(t < t, t == setmetatable({}, getmetatable(t)), t <  1)
--@ __index as a table and as a function
local base = {x = 1, f = function() return 'f' end}
local t = setmetatable({}, {__index = base}) print(t.x, t.f(), t.y) base.y = 2 print(t.y)
local u = setmetatable({}, {__index = function(t, k) return k .. '!' end}) print(u.a, u[1], rawget(u, 'a'))
--@ a chain of __index
local t = {v = 'deep'} for i = 1, 50 do t = setmetatable({}, {__index = t}) end print(t.v)
--@ a loop of __index is an error
local a, b = {}, {} setmetatable(a, {__index = b}) setmetatable(b, {__index = a}) print(pcall(function() return a.x end))
--@ __newindex
local log, t = {}, {} setmetatable(t, {__newindex = function(t, k, v) rawset(t, k, v .. '?') end}) t.a = 'x' t.a = 'y' print(t.a)
local store = {} local p = setmetatable({}, {__newindex = store}) p.z = 1 print(rawget(p, 'z'), store.z)
--@ read-only tables
local function readonly(t) return setmetatable({}, {__index = t, __newindex = function(_, k) error('no ' .. k, 2) end}) end
local r = readonly {a = 1} print(r.a, pcall(function() r.a = 2 end))
--@ __call
local t = setmetatable({}, {__call = function(self, ...) return select('#', ...), ... end}) print(t(), t(1, nil), pcall(t, 2))
local u = setmetatable({}, {__call = t}) print(u(1))
print(pcall(setmetatable({}, {__call = 5})))
--@ __len and __unm
print(#setmetatable({}, {__len = function() return 42 end}), -setmetatable({}, {__unm = function() return 'neg' end}))
--@ __concat
local t = setmetatable({}, {__concat = function(a, b) return (type(a) == 'table' and 'T' or a) .. (type(b) == 'table' and 'T' or b) end})
print(t .. 'a', 'a' .. t, 'a' .. t .. 'b', 1 .. t, t .. t)
--@ __tostring and __name
print(tostring(setmetatable({}, {__tostring = function() return 'mine' end})))
print((tostring(setmetatable({}, {__name = 'Mine'})):gsub('0x%x+', 'A')))
print(pcall(tostring, setmetatable({}, {__tostring = function() return 1 end})))
--@ __metatable protects
local t = setmetatable({}, {__metatable = 'locked'}) print(getmetatable(t), pcall(setmetatable, t, {}))
--@ setmetatable gives its table
local t = {} print(setmetatable(t, {}) == t, setmetatable(t, nil) == t, getmetatable(t))
--@ getmetatable of plain values
print(getmetatable({}), getmetatable(1), getmetatable(nil), getmetatable(print))
--@ inheritance of metamethods is not by __index
local parent = {__add = function() return 1 end} local child = setmetatable({}, {__index = parent})
print(pcall(function() return setmetatable({}, child) + 1 end))
--@ __idiv and __mod with strings
local t = setmetatable({}, {__mod = function(a, b) return 'mod' .. tostring(b) end}) print(t % 'x', t % 5, pcall(function() return 'x' % t end))
--@ string arithmetic goes to the other operand's metamethod
local t = setmetatable({}, {__add = function(a, b) return 'meta' end}) print('10' + t, 'abc' + t, t + '1')
--@ __eq is not asked for the same or for other types
local n = 0 local mt = {__eq = function() n = n + 1 return true end} local a, b = setmetatable({}, mt), setmetatable({}, mt)
print(a == a, a == b, a == 1, a ~= b, n)
--@ vectors
local V = {} V.__index = V
V.__add = function(a, b) return V.new(a.x + b.x, a.y + b.y) end V.__mul = function(a, k) if type(a) == 'number' then a, k = k, a end return V.new(a.x * k, a.y * k) end
V.__eq = function(a, b) return a.x == b.x and a.y == b.y end V.__tostring = function(v) return '(' .. v.x .. ', ' .. v.y .. ')' end V.__len = function() return 2 end
function V.new(x, y) return setmetatable({x = x, y = y}, V) end
print(tostring(V.new(1, 2) + V.new(3, 4.5)), tostring(2 * V.new(1, 2)), V.new(1, 1) == V.new(1.0, 1), #V.new(0, 0))
--@ metamethods that raise
print(pcall(function() return setmetatable({}, {__index = function(_, k) error('no field ' .. k) end}).x end))
print(pcall(function() return setmetatable({}, {__add = function() error('no sum', 2) end}) + 1 end))
print(pcall(function() return #setmetatable({}, {__len = function() error({}) end}) end) == false)
--@ metamethods that yield
local t = setmetatable({}, {__index = function(_, k) return coroutine.yield(k) end, __add = function(a, b) return coroutine.yield('add') end, __lt = function() return coroutine.yield('lt') end, __concat = function() return coroutine.yield('cat') end, __call = function(_, x) return coroutine.yield(x) end, __len = function() return coroutine.yield('len') end, __newindex = function(_, k, v) coroutine.yield(k) end})
local co = coroutine.wrap(function() local r = {t.key, t + 1, t < t, t .. 'x', t(7), #t} t.new = 1 return table.unpack(r) end)
local v = co() for i = 1, 7 do print(v) v = co(i) end print(v)
--@ weak tables
local weak = setmetatable({}, {__mode = 'v'}) weak[1] = {} weak[2] = 'string' local kept = {} weak[3] = kept
collectgarbage() print(weak[1], weak[2], weak[3] == kept)
local keys = setmetatable({}, {__mode = 'k'}) keys[{}] = 1 keys[kept] = 2 collectgarbage() local n = 0 for _ in pairs(keys) do n = n + 1 end print(n)
--@ default values by metatables
local counts = setmetatable({}, {__index = function() return 0 end}) for c in ('mississippi'):gmatch('.') do counts[c] = counts[c] + 1 end print(counts.s, counts.i, counts.p, counts.z)
--@ proxies record their accesses
local function track(t) local log = {} return setmetatable({}, {__index = function(_, k) log[#log + 1] = 'r' .. k return t[k] end, __newindex = function(_, k, v) log[#log + 1] = 'w' .. k t[k] = v end, __pairs = function() return next, t end}), log end
local p, log = track {a = 1} p.b = p.a + 1 local _ = p.b print(table.concat(log, ' ')) local n = 0 for _ in pairs(p) do n = n + 1 end print(n)
