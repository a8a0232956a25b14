--@ length, case, reverse, repeat
print(#'', #'a\0b', ('Hello'):upper(), ('Hello'):lower(), ('abc'):reverse(), ('ab'):rep(3, '-'))
print(('x'):rep(0), ('x'):rep(-1), (''):rep(100), ('ab'):rep(1, 'z'))
--@ sub
local s = 'hello'
print(s:sub(2, 3), s:sub(-3), s:sub(2), s:sub(0), s:sub(10), s:sub(-100, 2), s:sub(3, 2), s:sub(-2, -1))
print(s:sub(math.mininteger, math.maxinteger), s:sub(2.0, 3), pcall(s.sub, s, 1.5), pcall(s.sub, s))
--@ byte and char
print(('abc'):byte(), ('abc'):byte(1, -1), ('abc'):byte(10), string.char(72, 105), string.char())
print(pcall(string.char, 256), pcall(string.char, -1), pcall(string.char, 'x'))
--@ escapes
print('\65\066\x41\u{41}\z
       end', '\\n\'\"', 'a\
b', [[
first newline is skipped]], [==[a]]b]==], '\u{7FFFFFFF}' == '\xfd\xbf\xbf\xbf\xbf\xbf')
--@ find plain and by pattern
print(('hello world'):find('o'), ('hello'):find('l', 4), ('hello'):find('xyz'), ('hello'):find(''))
print(('a.b'):find('.', 1, true), ('a.b'):find('%.'), ('hello'):find('', 10), ('hello'):find('', 6))
print(('a+b'):find('+', 1, true), ('abc'):find('b', -1), ('abc'):find('b', -2), ('abc'):find('(b)(c)'))
--@ match
print(('key = value'):match('(%w+)%s*=%s*(%w+)'), ('2024-01-31'):match('(%d+)-(%d+)-(%d+)'))
print(('  trim  '):match('^%s*(.-)%s*$') .. '|', ('abc'):match('()b()'), ('abc'):match('.-'), ('x'):match('y'))
print(('f(a(b)c)d'):match('%b()'), ('THE (quick) fox'):find('%((%a+)%)'), ('aaa'):match('a-b?$'))
--@ frontier, classes, sets
print(('THE (quick) fox'):gsub('%f[%a]%a+', 'W'), ('a1_ -'):gsub('[%w_]', '.'), ('a-z'):gsub('[a%-z]', '.'))
print(('x]y'):gsub('[]]', '.'), ('x^y'):gsub('[%^]', '.'), ('abc'):gsub('[^b]', '.'), ('tab\t'):gsub('%c', '?'))
print(('é'):gsub('[\x80-\xff]', '.'), ('0xFf'):match('%x+', 3), ('a.b'):gsub('%p', '!'), ('aB'):gsub('%u', '^'))
--@ back references and anchors
print(('"a" \'b\''):gsub('(["\'])(.-)%1', '<%2>'), ('aaa'):gsub('^a', 'b'), ('hello'):match('(l)%1'))
print(('abcabc'):find('^abc', 4), ('x'):rep(5):gsub('x', 'y', 2), ('abc'):gsub('$', '!'), ('a$'):gsub('%$', '.'))
--@ gsub with a table, a function and captures
print(('$a $b $c'):gsub('%$(%w+)', {a = 1, b = true, c = false}))
print(('abc'):gsub('%w', function(c) if c == 'b' then return nil end return c:upper() end))
print(('hello'):gsub('', '-'), ('abc'):gsub('(%w)(%w)', '%2%1'), ('x'):gsub('x', '%%'), ('x'):gsub('x', '%0%0'))
print(pcall(string.gsub, 'x', 'x', function() return {} end))
print(pcall(string.gsub, 'x', 'x', '%2'), pcall(string.gsub, 'x', 'x', '%'), pcall(string.gsub, 'x', 'x'))
--@ gmatch
for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do print(k, v) end
for w in ('one two'):gmatch('%a+') do print(w) end
for p in ('abc'):gmatch('()') do print(p) end
for c in ('abcd'):gmatch('%w', 3) do print(c) end
print(pcall(string.gmatch, 'x'))
--@ malformed patterns
for _, p in ipairs {'[a', '%', '(a', 'a)', '%b', '%bx', '%f', '%1', '(()', '[a-', '[%', '(.)%2'} do
  print(p, pcall(string.find, 'abc', p))
end
--@ many captures
print(pcall(string.match, ('x'):rep(40), ('(x)'):rep(33)))
print(select('#', string.match(('x'):rep(40), ('(x)'):rep(32))))
--@ bad subjects
print(pcall(string.find), pcall(string.rep, 'x'), pcall(string.upper), pcall(string.sub, {}))
print(pcall(function() return ('x'):bad() end))
print(pcall(function() local s = 'abc' return s.x.y end))
print(('x').y, ('x').len, #('x').rep('ab', 2))
--@ numbers are strings where strings are wanted
print(string.rep(12, 2), string.len(3.5), ('%s'):format(2^53), string.upper(1e3))
--@ strings are numbers where numbers are wanted
print('10' + 5, '3' * '4', 10 .. 20, -'2', '0x10' + 0, '1e1' // 1, ' 7 ' % 4, '2' ^ 2, 10 // '3', '7' // '2.0')
print(pcall(function() return '1' + 'a' end))
print(pcall(function() return 'abc' + 1 end))
print(pcall(function() return '10' < 5 end))
print(pcall(math.max, "10", 9))
--@ strings are no numbers as keys
local t = {} t[1] = 'int' t['1'] = 'string' t[1.0] = 'float' print(t[1], t['1'])
--@ concatenation of many
local t = {} for i = 1, 300 do t[i] = i % 10 end
print(table.concat(t), #table.concat(t, ', '), table.concat({}, 'x'), table.concat({1, 2.5, 'z'}, '-', 2))
print(pcall(table.concat, {1, {}, 3}), pcall(table.concat, {1, 2}, ',', 1, 3), table.concat({1, 2, 3}, ',', 2, 1))
--@ long strings keep their bytes
local s = ('\0\1\255'):rep(1000) print(#s, s:byte(2999), s:byte(3000), s == ('\0\1\255'):rep(1000))
--@ comparison of long equal strings
local a, b = ('x'):rep(100) .. 'y', ('x'):rep(100) .. 'y' print(a == b, a < b, a <= b, ({[a] = 1})[b])
--@ utf8.char and charpattern
print(utf8.char(72, 228, 8364, 128512), utf8.char(), #utf8.char(0x7FFFFFFF), utf8.charpattern == '[\0-\x7F\xC2-\xFD][\x80-\xBF]*')
--@ utf8.codepoint
print(utf8.codepoint('häß', 1, -1), pcall(utf8.codepoint, '\xff'), pcall(utf8.codepoint, 'abc', 4))
print(pcall(utf8.codepoint, '\u{D800}', 1), utf8.codepoint('\u{200000}', 1, 1, true))
--@ utf8.len
print(utf8.len('häß'), utf8.len(''), utf8.len('\xff'), utf8.len('abc', 2), utf8.len('abc', 4), pcall(utf8.len, 'abc', 5))
print(utf8.len('ab\x80c'), utf8.len('\u{7FFFFFFF}'), utf8.len('\u{7FFFFFFF}', 1, -1, true), utf8.len('äöü', -2))
--@ utf8.offset
print(utf8.offset('aäb', 3), utf8.offset('aäb', -1), utf8.offset('aäb', 0, 3), utf8.offset('abc', 5), utf8.offset('abc', 4))
print(pcall(utf8.offset, 'ä', 1, 2), pcall(utf8.offset, 'abc', 1, 10))
--@ utf8.codes
for p, c in utf8.codes('aä€') do print(p, c) end
print(pcall(function() for _ in utf8.codes('a\xffb') do end end))
print(pcall(function() for _ in utf8.codes('ab\xe4') do end end))
--@ words are counted and sorted
local counts, words = {}, {}
for w in ('the cat and the dog and the bird'):gmatch('%a+') do counts[w] = (counts[w] or 0) + 1 end
for w in pairs(counts) do words[#words + 1] = w end
table.sort(words, function(a, b) return counts[a] > counts[b] or counts[a] == counts[b] and a < b end)
for _, w in ipairs(words) do print(w, counts[w]) end
return counts
--@ a tokenizer
local tokens, s, at = {}, 'x1 = (y + 3.5) * "q"', 1
while at <= #s do
  local kind, token
  for _, rule in ipairs {{'space', '^%s+'}, {'name', '^%a%w*'}, {'number', '^%d+%.?%d*'}, {'string', '^"[^"]*"'}, {'op', '^.'}} do
    token = s:match(rule[2], at)
    if token then kind = rule[1] break end
  end
  if kind ~= 'space' then tokens[#tokens + 1] = kind .. ':' .. token end
  at = at + #token
end
print(table.concat(tokens, ' '))
return tokens
