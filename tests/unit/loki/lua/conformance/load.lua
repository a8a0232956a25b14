--@ load of text
print(load('return 1 + 1')()) print(load('return ...', 'n')(1, 2)) print(load('x =')) print(load('x =', '=name')) print(load('x =', '@name'))
--@ load with an environment
local env = {a = 1} print(load('a = a + 1 return a', 'n', 't', env)(), env.a) print(load('return a', 'n', 't', {})()) print(pcall(load('return a.b', '=n', 't', {})))
local f = load('x = 5 return x', 'n', 't', setmetatable({}, {__index = _G})) print(f(), x)
--@ load with nil as environment
print(pcall(load('return x', '=n', 't', nil)))
--@ load from a function
local parts, i = {'return ', '4', '2', nil}, 0 print(load(function() i = i + 1 return parts[i] end)()) print(load(function() return nil end)) 
print(pcall(load, function() error('reader') end)) print(load(function() return {} end))
--@ load names chunks
print(pcall(load('error("e")', '=named'))) print(pcall(load('error("e")', '@file.lua'))) print(pcall(load('error("e")'))) print(pcall(load('\n\nerror("e")', 'first line\nsecond')))
print(pcall(load('error("e")', ('x'):rep(100)))) print(pcall(load('error("e")', '@' .. ('y'):rep(100))))
--@ load does not run
local f = load('ran = true') print(ran) f() print(ran)
--@ load sees globals, not locals
local hidden = 1 shown = 2 print(load('return hidden, shown')())
--@ load of what is no text
print(pcall(load)) print(pcall(load, 5)) print(pcall(load, {})) print(pcall(load, nil))
--@ a loaded chunk is vararg and has an upvalue of its own
local f = load('local a, b = ... return b, a') print(f(1, 2)) local g = load('n = (n or 0) + 1 return n') print(g(), g())
--@ a template engine
local function render(text, env) local code = {'local out = {}'} for literal, expr in (text .. '{{}}'):gmatch('(.-){{(.-)}}') do code[#code + 1] = ('out[#out + 1] = %q'):format(literal) if #expr > 0 then code[#code + 1] = 'out[#out + 1] = tostring(' .. expr .. ')' end end code[#code + 1] = 'return table.concat(out)' return load(table.concat(code, '\n'), '=t', 't', setmetatable(env, {__index = _G}))() end
print(render('Hello {{name}}, {{n * 2}} times', {name = 'World', n = 21}))
--@ os.time and os.date
print(os.time({year = 2024, month = 2, day = 29, hour = 12})) print(os.date('!%Y-%m-%d %H:%M:%S', 86400)) print(os.date('!%c', 0)) print(os.date('!*t', 3600).hour, os.date('!*t', 0).isdst)
print(os.time({year = 2024, month = 14, day = -3, hour = 12}), pcall(os.time, {year = 2024}), pcall(os.date, '%Ez', 0), pcall(os.date, '%', 0), os.date('!%%', 0))
local t = {year = 2023, month = 15, day = 1, hour = 0} os.time(t) print(t.year, t.month, t.day, t.yday) print(os.difftime(10, 5), type(os.clock()), math.type(os.time()))
--@ os.date refuses what it cannot show
print(pcall(os.date, '!%Y', 2^60)) print(pcall(os.date, '!*t', {})) print(pcall(os.time, {year = 'x', month = 1, day = 1})) print(pcall(os.time, {year = 1.5, month = 1, day = 1})) print(pcall(os.time, {year = math.maxinteger, month = 1, day = 1}))
--@ print goes through tostring
print(setmetatable({}, {__tostring = function() return 'shown' end}), nil, true, 1.0) print() print('a\tb', 'ü') print(pcall(print, setmetatable({}, {__tostring = function() return {} end})))
print(setmetatable({}, {__name = 'N'}) ~= nil)
--@ collectgarbage
print(math.type(collectgarbage('count')), collectgarbage(), collectgarbage('collect'))
local n = collectgarbage('count') local t = {} for i = 1, 1000 do t[i] = {} end print(collectgarbage('count') > n)
--@ comments and white space
print(1) -- comment
--[[ long
comment ]] print(2) --[==[ ]] ]==] print(3)
;;; print(4); print
(5)
--@ a line that begins with a parenthesis calls
local f = function(x) return function(y) print(x, y) end end
local g = f
(1)
(2)
--@ calls without parentheses
print 'string' print [[long]] print(type {}) local o = {m = function(self, s) return s end} print(o:m 'x', #o:m {1, 2})
--@ integer keys of all kinds
local t = {[0] = 'zero', [-1] = 'minus', [math.maxinteger] = 'max', [math.mininteger] = 'min', [true] = 'yes', [1.5] = 'half'} print(t[0], t[-1], t[math.maxinteger], t[math.mininteger], t[true], t[1.5], t[false])
--@ base64
local alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local function encode(s) local out = {} for i = 1, #s, 3 do local a, b, c = s:byte(i, i + 2) local n = a << 16 | (b or 0) << 8 | (c or 0) for j = 0, 3 do local k = n >> (18 - 6 * j) & 63 out[#out + 1] = (j == 2 and not b or j == 3 and not c) and '=' or alphabet:sub(k + 1, k + 1) end end return table.concat(out) end
print(encode(''), encode('f'), encode('fo'), encode('foo'), encode('Hello, World!'))
--@ crc32
local function crc32(s) local crc = 0xffffffff for i = 1, #s do crc = crc ~ s:byte(i) for _ = 1, 8 do crc = crc >> 1 ~ (0xedb88320 & -(crc & 1)) end end return ~crc & 0xffffffff end
print(('%08x %08x'):format(crc32('123456789'), crc32('')))
--@ json text
local function json(v) local k = type(v) if k == 'table' then local out = {} if #v > 0 then for i, x in ipairs(v) do out[i] = json(x) end return '[' .. table.concat(out, ',') .. ']' end for key, x in pairs(v) do out[#out + 1] = ('%q:%s'):format(key, json(x)) end table.sort(out) return '{' .. table.concat(out, ',') .. '}' elseif k == 'string' then return ('%q'):format(v) end return tostring(v) end
print(json {a = 1, b = {1, 2.5, 'x'}, c = {d = true}})
--@ n queens
local n, count = 6, 0 local function ok(q, r, c) for i = 1, r - 1 do if q[i] == c or q[i] - i == c - r or q[i] + i == c + r then return false end end return true end
local function place(q, r) if r > n then count = count + 1 return end for c = 1, n do if ok(q, r, c) then q[r] = c place(q, r + 1) end end end place({}, 1) print(count)
return count
--@ a linear congruential generator
local x = 12345 local out = {} for i = 1, 10 do x = (x * 6364136223846793005 + 1442695040888963407) out[i] = x >> 33 end print(table.concat(out, ' '))
--@ collatz
local best, at = 0, 0 for i = 1, 2000 do local n, steps = i, 0 while n ~= 1 do n = n % 2 == 0 and n // 2 or 3 * n + 1 steps = steps + 1 end if steps > best then best, at = steps, i end end print(best, at)
--@ mandelbrot
for y = -1, 1, 0.5 do local line = {} for x = -2, 0.5, 0.25 do local zx, zy, n = 0.0, 0.0, 0 while zx * zx + zy * zy < 4 and n < 50 do zx, zy, n = zx * zx - zy * zy + x, 2 * zx * zy + y, n + 1 end line[#line + 1] = n == 50 and '#' or '.' end print(table.concat(line)) end
--@ mean and deviation
local readings, sum, squares = {21.5, 22.25, 20.75, 23, 21}, 0, 0 for _, v in ipairs(readings) do sum = sum + v end local mean = sum / #readings for _, v in ipairs(readings) do squares = squares + (v - mean) ^ 2 end print(('%.3f %.3f'):format(mean, math.sqrt(squares / #readings)))
return mean
--@ results of every kind: nothing
--@ results of every kind: nil
return nil
--@ results of every kind: booleans
return 1 < 2
--@ results of every kind: an integer
return math.maxinteger
--@ results of every kind: a float
return 0.1 + 0.2
--@ results of every kind: text
return 'grün'
--@ results of every kind: the first of several
return 'first', 'second'
--@ results of every kind: a nested table
return {list = {1, {2, {3}}}, text = 'x', flag = false, float = 2.0}
