--@ closures keep their own variables
local f = {} for i = 1, 3 do f[i] = function() i = i + 1 return i end end
print(f[1](), f[1](), f[2](), f[3](), f[1]())
--@ closures share what they share
local function pair() local n = 0 return function() n = n + 1 return n end, function() return n end end
local inc, get = pair() inc() inc() print(get(), inc(), get())
--@ varargs
local function f(...) local a, b = ... return select('#', ...), a, b, ... end
print(f()) print(f(nil)) print(f(1, nil, 3)) print((f(1, 2)))
local function g(...) return {...}, select('#', ...) end local t, n = g(1, nil, 3, nil) print(#t >= 1, n)
--@ varargs in the middle are cut to one
local function two() return 1, 2 end
print(two(), two()) print((two())) print(({two(), two()})[3]) 
--@ results are adjusted
local function none() end local function three() return 1, 2, 3 end
local a, b, c, d = three() print(a, b, c, d) a, b = three(), 10 print(a, b) a = none() print(a)
print(none()) print((none())) print(#{three(), three()}, #{three(), (three())}, select('#', none()))
--@ many arguments and results
local function count(...) return select('#', ...) end
local t = {} for i = 1, 200 do t[i] = i end print(count(table.unpack(t)), (select(200, table.unpack(t))))
--@ recursion
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end print(fib(20))
local function ack(m, n) if m == 0 then return n + 1 elseif n == 0 then return ack(m - 1, 1) end return ack(m - 1, ack(m, n - 1)) end print(ack(2, 3))
return fib(15)
--@ tail calls do not fill the stack
local function loop(n) if n == 0 then return 'done' end return loop(n - 1) end print(loop(200000))
--@ endless recursion is an error
local function f() return 1 + f() end
local ok, e = pcall(f) print(ok, e:match('stack overflow'))
--@ methods
local o = {n = 1} function o:add(k) self.n = self.n + k return self end function o.static(x) return x end
print(o:add(2):add(3).n, o.static(4), o['add'](o, 1).n)
--@ methods that are not there
print(pcall(function() local o = {} o:missing() end))
print(pcall(function() local o = {} o.a.b() end))
print(pcall(function() undefined() end))
print(pcall(function() local f = 5 f() end))
print(pcall(function() ('x')() end))
print(pcall(function() local t = {} t.x.y = 1 end))
print(pcall(function() local t = {} t[1][2] = 1 end))
--@ goto
for i = 1, 3 do
  for j = 1, 3 do if j == 2 then goto continue end print(i, j) ::continue:: end
end
do local n = 0 ::top:: n = n + 1 if n < 3 then goto top end print(n) end
goto over
print('never')
::over:: print('end')
--@ goto makes fresh locals
local f = {} do local i = 1 ::again:: local x = i f[i] = function() return x end i = i + 1 if i <= 3 then goto again end end
print(f[1](), f[2](), f[3]())
--@ goto errors
print(load('goto nowhere', '=c')) print(load('do ::a:: end goto a', '=c')) print(load('::a:: ::a::', '=c'))
print(load('goto f local x ::f:: print(x)', '=c')) print(load('break', '=c')) print(load('repeat goto c local x ::c:: until x', '=c'))
--@ while and repeat
local n = 0 while true do n = n + 1 if n > 5 then break end end print(n)
repeat local done = n > 7 n = n + 1 until done print(n)
while n < 0 do print('never') end
--@ repeat sees the locals of its body
local i = 0 repeat i = i + 1 local stop = i == 4 until stop print(i)
--@ scopes and shadows
local x = 1 do local x = x + 1 print(x) do local x = x * 10 print(x) end end print(x)
local x = x + 100 print(x)
--@ multiple assignment
local a, b, c = 1, 2 a, b = b, a print(a, b, c)
local t = {} local i = 1 i, t[i] = i + 1, 20 print(i, t[1], t[2])
local x, y, z = (function() return 1, 2, 3 end)() print(x, y, z)
--@ constants
local k <const> = 5 print(k + 1) print(load('local k <const> = 1 k = 2', '=c')) print(load('local k <wrong> = 1', '=c'))
--@ generic for with state
local function range(n) return function(n, i) if i < n then return i + 1 end end, n, 0 end
for i in range(3) do print(i) end
for a, b, c in function(s, c) if c == nil then return 1, 2, 3 end end do print(a, b, c) end
print(pcall(function() for i in 5 do end end)) print(pcall(function() for i in nil do end end))
--@ generic for closes its fourth value
local function guard() return setmetatable({}, {__close = function(_, e) print('closed', e) end}) end
for i in function(_, i) i = (i or 0) + 1 if i < 3 then return i end end, nil, nil, guard() do print(i) end
for i in function() return 1 end, nil, nil, guard() do break end
print(pcall(function() for i in function() error('it') end, nil, nil, guard() do end end))
--@ locals up to the limit of a function
local lines = {} for i = 1, 200 do lines[i] = 'local v' .. i .. ' = ' .. i end
print(load(table.concat(lines, ' ') .. ' return v1 + v200', '=c')())
print(load(table.concat(lines, ' ') .. ' local v201', '=c'))
--@ upvalues up to their limit
local lines = {} for i = 1, 150 do lines[i] = 'local v' .. i .. ' = ' .. i end
print(load(table.concat(lines, ' ') .. ' return function() return v1 + v150 end', '=c')()())
--@ syntax errors
for _, s in ipairs {'x =', 'x = = 1', 'for', 'if x then', 'local function', 'return return', 'f(', '{', 'x = }', '1 = x',
  'local 5', 'x.1 = 2', '"open', "'a\nb'", '[[open', '--[[open', 'x = 0x', 'x = 1e', 'x = 3..4', '"\\q"', '"\\300"', '"\\xZZ"',
  '"\\u{110000000}"', 'a.b:c = 1', 'function f() return 1 print(2) end', 'local t = {1 2}', 'x = @', 'x = a b', 'local x <const>, y <close>, z <close> = 1',
  'return ...', 'function f() return ... end', 'local goto = 1', 'and', 'x = function end', 'until x', 'end'} do
  print(s, load(s, '=c'))
end
--@ deep nesting of expressions
print(load('return ' .. ('('):rep(100) .. '1' .. (')'):rep(100), '=c')())
print(load('return ' .. ('('):rep(300) .. '1' .. (')'):rep(300), '=c'))
print(#load('return ' .. ('{'):rep(100) .. ('}'):rep(100), '=c')())
--@ a class with inheritance
local Animal = {} Animal.__index = Animal
function Animal.new(name) return setmetatable({name = name}, Animal) end
function Animal:speak() return self.name .. ' makes a sound' end
local Dog = setmetatable({}, {__index = Animal}) Dog.__index = Dog
function Dog.new(name) return setmetatable(Animal.new(name), Dog) end
function Dog:speak() return Animal.speak(self) .. ': woof' end
print(Dog.new('Rex'):speak(), Animal.new('Cat'):speak(), getmetatable(Dog.new('x')) == Dog)
--@ memoize
local calls = 0 local function slow(n) calls = calls + 1 return n * n end
local cache = setmetatable({}, {__index = function(t, n) local v = slow(n) t[n] = v return v end})
print(cache[4], cache[4], cache[5], calls)
--@ _ENV can be replaced
local print = print do local _ENV = {x = 5} x = x + 1 print(x, _ENV.x) end print(x)
local function sandboxed() local _ENV <const> = {print = print} y = 1 print(y) end sandboxed() print(y)
--@ globals are fields of _G
g1 = 5 print(_G.g1, _G._G == _G, rawget(_G, 'g1'), _ENV == _G) _G.g2 = 6 print(g2) g1 = nil print(_G.g1)
--@ type and tostring of everything
print(type(nil), type(1), type(''), type({}), type(print), type(coroutine.create(print)), type(true), pcall(type))
print(tostring(nil), tostring(true), tostring({}):match('^table: '), tostring(print):match('^%a+'), pcall(tostring), _VERSION)
--@ towers of hanoi
local moves = {} local function hanoi(n, a, b, c) if n > 0 then hanoi(n - 1, a, c, b) moves[#moves + 1] = a .. c hanoi(n - 1, b, a, c) end end
hanoi(4, 'A', 'B', 'C') print(#moves, table.concat(moves, ' '))
--@ permutations by a generator
local function permute(a, n) n = n or #a if n <= 1 then coroutine.yield(table.concat(a)) else for i = 1, n do a[n], a[i] = a[i], a[n] permute(a, n - 1) a[n], a[i] = a[i], a[n] end end end
for p in coroutine.wrap(function() permute {'a', 'b', 'c'} end) do print(p) end
