--@ integers and floats keep their kind
print(1, 1.0, -0.0, 0.0, 1e15, 1e16, 2^53, 2^63, 1e100, -1e-7)
print(10 / 2, 3 * 1.0, 7 // 2, 7.0 // 2, 7 % 3, 7.5 % 2, 2^2)
return 7 // 2
--@ floor division rounds down
for _, a in ipairs {7, -7, 7.0, -7.0} do
  for _, b in ipairs {2, -2, 2.5, -2.5} do print(a, b, a // b, a % b) end
end
--@ modulo takes the sign of the divisor
print(5 % 3, -5 % 3, 5 % -3, -5 % -3, 5.5 % -2, -5.5 % 2)
print(1 % math.huge, -1 % math.huge, 1 % -math.huge, -1 % -math.huge)
--@ integer division by zero is an error, of floats not
print(pcall(function() return 1 // 0 end))
print(pcall(function() return 1 % 0 end))
print(1.0 // 0, -1 // 0.0, 1 / 0, -1 / 0)
print((0/0) ~= (0/0), tostring(0/0):gsub('-', ''))
--@ integers wrap around
print(math.maxinteger + 1 == math.mininteger, math.mininteger - 1, math.maxinteger * 2)
print(-math.mininteger, math.mininteger // -1, math.mininteger % -1, math.abs(math.mininteger))
--@ shifts are logical
print(1 << 62, 1 << 63, 1 << 64, 1 << -1, -1 >> 1, -1 >> 63, -1 >> 64, -1 << 64, 3 >> -2)
--@ bits
print(5 & 3, 5 | 3, 5 ~ 3, ~0, ~5, 0xff & ~0xf, 3.0 & 1, '7' & 3)
--@ bits refuse what is no integer
print(pcall(function() return 1.5 & 1 end))
print(pcall(function() return 2^63 | 0 end))
print(pcall(function() return {} | 1 end))
print(pcall(function() return 'a' | 1 end))
print(pcall(function() local s = '1.5' return s ~ 1 end))
--@ comparison of integers and floats is exact
print(1 == 1.0, 2^53 == 2^53 + 1, math.maxinteger == 2^63, math.maxinteger < 2^63)
print(math.maxinteger + 0.0 == math.maxinteger, 9007199254740993 < 9007199254740992.0)
print(1 < 1.5, 2 > 1.5, -1 <= -1.0, math.mininteger <= -2^63, 1 < math.huge, 1 > -math.huge)
--@ comparison of strings goes by bytes
print('a' < 'b', 'a' < 'A', '' < 'a', 'a\0b' < 'a\0c', 'Z' < 'a', '10' < '9')
--@ comparison of different types is an error
print(pcall(function() return 1 < '2' end))
print(pcall(function() return {} < {} end))
print(pcall(function() return nil <= 1 end))
print(pcall(function() return print >= print end))
print(1 == '1', nil == false, 'a' ~= 'a')
--@ numerals
print(0x10, 0xA.8p0, 0x.1p4, 1e2, .5, 3., 0xffffffffffffffff, 0x7fffffffffffffff, 1E+2)
print(9223372036854775807, 9223372036854775808, 0x1p-2, 1//1, 100000000000000000000)
--@ math.type and tointeger
print(math.type(1), math.type(1.0), math.type('1'), math.type(nil), pcall(math.type))
print(math.tointeger(3.0), math.tointeger(3.5), math.tointeger('8'), math.tointeger(2^63))
--@ math.floor and ceil
print(math.floor(3.7), math.floor(-3.7), math.ceil(3.2), math.ceil(-3.2), math.floor(2^70))
print(math.floor(5), math.ceil(5), math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3.5))
print(pcall(math.fmod, 1, 0))
print(math.modf(3.7), math.modf(-3.7), math.modf(5), math.modf(math.huge))
--@ math.max and min
print(math.max(1, 2.5, -1), math.min(1, 2.5, -1), math.max(2, 2.0), pcall(math.max))
--@ math functions
print(math.sqrt(16), math.abs(-5), math.abs(-5.5), math.exp(0), math.log(8, 2), math.log(100, 10))
print(math.sin(0), math.cos(0), math.pi, math.huge, -math.huge, math.ult(1, -1), math.log(1))
--@ math.random with a seed
math.randomseed(42)
local t = {} for i = 1, 8 do t[i] = math.random(100) end print(table.concat(t, ' '))
print(math.random(3, 3), pcall(math.random, 2, 1), pcall(math.random, 1, 2, 3))
math.randomseed(1, 2) print(math.random(0), math.random())
--@ tostring of numbers
print(tostring(1e15), tostring(1e14 + 0.5), 3.14159265358979, 0.1, 1/3, 123456789012345678)
print(2^31, 2^-1074, 1.7976931348623157e308, 100 // 1e-320)
--@ tonumber
print(tonumber('0x1F'), tonumber(' 12 '), tonumber('1e1'), tonumber('1 2'), tonumber(''), tonumber('0x'))
print(tonumber('z', 36), tonumber('ff', 16), tonumber('8', 8), tonumber('-101', 2), tonumber('7', 8))
print(pcall(tonumber, '1', 1), pcall(tonumber, 1, 10), pcall(tonumber, '1', 37))
print(tonumber('1_000'), tonumber('0b1'), tonumber('inf'), tonumber('nan'), tonumber({}), tonumber(nil))
print(tonumber('9223372036854775808'), tonumber('-9223372036854775808'), tonumber('1e400'))
--@ numeric for with integers
for i = 3, 1, -1 do print(i) end
for i = math.maxinteger - 1, math.maxinteger do print(i) end
for i = 1, 0 do print('never') end
for i = 1, 3 do local j = i i = 10 print(j, i) end
--@ numeric for with floats
for i = 1.0, 2, 0.5 do print(i) end
for i = 1, 2.9 do print(i) end
for i = 3, -math.huge, -1 do if i < 1 then break end print(i) end
--@ numeric for refuses bad bounds
print(pcall(function() for i = 1, 10, 0 do end end))
print(pcall(function() for i = 'a', 10 do end end))
print(pcall(function() for i = 1, {} do end end))
print(pcall(function() for i = 1, 2, nil do end end))
print(pcall(function() for i = 1.5, 2, 0 do end end))
--@ arithmetic on what is no number
print(pcall(function() return {} + 1 end))
print(pcall(function() local t = {} return t.x + 1 end))
print(pcall(function() local t = {a = {}} return t.a.b.c end))
print(pcall(function() return undefined * 2 end))
print(pcall(function() local s = 'x' return s + 1 end))
print(pcall(function() return -{} end))
print(pcall(function() return 1 .. {} end))
print(pcall(function() return #5 end))
--@ power and unary minus bind as they do
print(-2 ^ 2, 2 ^ 3 ^ 2, 2 ^ -1, not 1 == 2, -3 % 5, 1 .. 2 .. 3, 2 * 3 % 4, #'ab' + 1)
print(1 + 2 << 1, 1 | 2 & 3, 5 // 2 * 2, 'a' .. 1 + 2, not nil and 1, 1 < 2 == true, ~5 & 7)
--@ and, or, not give operands
print(nil and 1, false or nil, 1 and 2, nil or 'x', not not 0, false == nil, (nil or false) == false)
--@ a large loop in integers and floats
local s, f = 0, 0.0
for i = 1, 10000 do s = (s * 31 + i) & 0xffffffff f = f + 1 / i end
print(s, f)
