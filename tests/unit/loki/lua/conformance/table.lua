--@ constructors
local t = {1, 2, [5] = 5, x = 'y', [2] = 'over', 3; 4}
print(#t, t[1], t[2], t[3], t[4], t[5], t.x)
print(#{n = 1}, #{nil}, #{1, nil}, #{(function() return 1, 2, 3 end)()}, #{((function() return 1, 2 end)())})
print(select('#', table.unpack({1, nil, 3}, 1, 3)))
return t[4]
--@ a table is returned as it is
return {a = {1, 2.5, 'x', true}, b = {}, ['key with spaces'] = -1}
--@ insert and remove
local t = {}
table.insert(t, 'a') table.insert(t, 1, 'b') table.insert(t, 2, 'c') table.insert(t, #t + 1, 'd')
print(table.concat(t, ' '), table.remove(t), table.remove(t, 1), table.concat(t, ' '), table.remove({}), table.remove({}, 0))
print(pcall(table.insert, t, 5, 'x'), pcall(table.insert, t), pcall(table.insert, t, 1, 2, 3))
print(pcall(table.insert, nil, 1), pcall(table.insert, t, 'x', 1), pcall(table.insert, 1, 2))
--@ unpack
print(table.unpack({1, 2, 3})) print(table.unpack({1, 2, 3}, 2)) print(table.unpack({1, 2, 3}, 2, 5))
print(table.unpack({}, 1, 0), pcall(table.unpack, {}, 1, 1e8), table.unpack({1, 2}, -1, 1))
--@ pack
local p = table.pack(nil, 2, nil) print(p.n, p[1], p[2], p[3], table.pack().n)
--@ move
print(table.concat(table.move({1, 2, 3}, 1, 3, 2), ','), table.concat(table.move({1, 2, 3}, 2, 3, 1), ','))
print(table.concat(table.move({1, 2, 3}, 1, 3, 1, {9, 9, 9, 9}), ','), #table.move({1}, 1, 0, 5))
print(pcall(table.move, {}, 1, math.maxinteger, 2), pcall(table.move, 1, 1, 1, 1))
--@ sort
local t = {5, 2, 8, 1, 9, 3, 7, 4, 6, 0} table.sort(t) print(table.concat(t, ' '))
table.sort(t, function(a, b) return a > b end) print(table.concat(t, ' '))
local w = {'pear', 'Apple', 'fig', ''} table.sort(w) print(table.concat(w, ','))
print(pcall(table.sort, {1, 'x', 2}), pcall(table.sort, {3, 1, 2}, 5), pcall(table.sort, {{}, {}}))
--@ sort of many is in order
math.randomseed(7) local t = {} for i = 1, 2000 do t[i] = math.random(1, 10000) end table.sort(t)
for i = 2, #t do assert(t[i - 1] <= t[i]) end print(t[1], t[1000], t[2000])
--@ sort with an inconsistent order
print(pcall(table.sort, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, function() return true end))
--@ an error in a comparator goes through
print(pcall(table.sort, {3, 2, 1}, function(a, b) error('cmp') end))
print(pcall(table.sort, {3, 2, 1}, function(a, b) error({}, 2) end))
--@ next and pairs
print(next({}), next({10}), next({10}, 1), pcall(next, {}, 'nope'), pcall(next))
local keys = {} for k, v in pairs({a = 1, b = 2, 3, 4}) do keys[#keys + 1] = tostring(k) .. tostring(v) end
table.sort(keys) print(table.concat(keys, ' '))
--@ removal while iterating
local t = {} for i = 1, 100 do t['k' .. i] = i end
local n = 0 for k in pairs(t) do t[k] = nil n = n + 1 end print(n, next(t))
--@ ipairs stops at nil
for i, v in ipairs({1, 2, nil, 4}) do print(i, v) end
print(pcall(ipairs), pcall(ipairs, nil))
--@ ipairs goes through __index
for i, v in ipairs(setmetatable({}, {__index = function(_, i) if i < 4 then return i * i end end})) do print(i, v) end
--@ pairs goes through __pairs
for k, v in pairs(setmetatable({}, {__pairs = function(t) return function(_, k) if not k then return 1, 2 end end, t, nil end})) do print(k, v) end
--@ keys that cannot be
print(pcall(function() local t = {} t[nil] = 1 end))
print(pcall(function() local t = {} t[0/0] = 1 end))
print(({})[nil], ({})[0/0], pcall(rawset, {}, nil, 1))
--@ float keys become integers
local t = {[1.0] = 'a', [2^53] = 'b'} print(t[1], t[2^53 | 0], next({[3.0] = 1}), math.type(next({[3.0] = 1})))
--@ length with a border
local t = {} for i = 1, 10 do t[i] = i end for i = 10, 6, -1 do t[i] = nil end print(#t)
--@ rawget, rawset, rawlen, rawequal
local t = setmetatable({}, {__index = function() return 1 end, __len = function() return 9 end, __eq = function() return true end})
print(rawget(t, 'x'), t.x, rawlen(t), #t, rawequal(t, {}), t == setmetatable({}, getmetatable(t)), rawlen('abc'))
print(rawequal(t, t), rawset(t, 1, 2) == t, t[1], pcall(rawget, 1, 2), pcall(rawlen, 5), pcall(rawequal, 1))
--@ select
print(select('#'), select('#', nil, nil), select(2, 'a', 'b', 'c'), select(-1, 'a', 'b'), select(5, 1))
print(pcall(select, 0), pcall(select, -5, 1), pcall(select, 'x'), pcall(select))
--@ nested tables share
local inner = {1} local t = {inner, inner} t[1][1] = 2 print(t[2][1], t[1] == t[2])
--@ a queue
local q = {first = 1, last = 0}
for i = 1, 5 do q.last = q.last + 1 q[q.last] = i * i end
while q.first <= q.last do print(q[q.first]) q[q.first] = nil q.first = q.first + 1 end
--@ table functions through metamethods
local log = {}
local t = setmetatable({}, {__index = function(_, k) return k <= 3 and k or nil end, __len = function() return 3 end, __newindex = function(t, k, v) log[#log + 1] = k rawset(t, k, v) end})
print(table.concat(t, ','), table.unpack(t)) table.insert(t, 'x') print(table.concat(log, ','), pcall(table.sort, t))
--@ a length that lies
print(pcall(function() return #setmetatable({}, {__len = function() return 'x' end}) end))
print(pcall(table.insert, setmetatable({}, {__len = function() return 'x' end}), 1))
print(pcall(table.unpack, setmetatable({}, {__len = function() return 1.5 end})))
--@ matrices
local function multiply(a, b) local c = {} for i = 1, #a do c[i] = {} for j = 1, #b[1] do local s = 0 for k = 1, #b do s = s + a[i][k] * b[k][j] end c[i][j] = s end end return c end
local m = multiply({{1, 2}, {3, 4}}, {{5, 6}, {7, 8.0}}) print(m[1][1], m[1][2], m[2][1], m[2][2])
return m
--@ sieve
local sieve, primes = {}, {}
for i = 2, 100 do if not sieve[i] then primes[#primes + 1] = i for j = i * i, 100, i do sieve[j] = true end end end
print(table.concat(primes, ' '))
return primes
