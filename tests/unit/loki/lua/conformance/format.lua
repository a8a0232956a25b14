--@ %d and %i
print(('%d|%5d|%-5d|%05d|%+d|% d|%.3d|%i'):format(42, 42, 42, 42, 42, 42, 42, 42))
print(('%d'):format(3.0), ('%d'):format('10'), ('%d'):format(-0.0), ('%d'):format(math.mininteger))
print(pcall(string.format, '%d', 3.5), pcall(string.format, '%d', '3.5'), pcall(string.format, '%d', 'x'))
print(pcall(string.format, '%d', 2^63), pcall(string.format, '%d'), pcall(string.format, '%d', {}))
--@ %u is not there, %x %X %o are
print(pcall(string.format, '%u', 1), ('%x|%X|%#x|%o|%#o|%08x'):format(255, 255, 255, 8, 8, 48879))
print(('%x'):format(-1), ('%c%c'):format(72, 105), ('%5c|%-5c|'):format(65, 66))
--@ floats
print(('%f|%.2f|%10.3f|%-10.1f|%e|%.3e|%g|%G|%.10g'):format(3.14159, 3.14159, 3.14159, 3.14159, 12345.678, 12345.678, 1e20, 1e-10, 0.1))
print(('%.0f|%.14g|%.17g|%a|%.3a'):format(2.5, 0.1, 0.1, 1.0, 3.14))
print(('%f %g %e'):format(math.huge, -math.huge, math.huge), ('%5.1f'):format('3.25'), ('%g'):format(10))
print(pcall(string.format, '%f', 'x'), ('%.20s|'):format('short'), ('%.99f'):format(1/3):len())
--@ %s
print(('%s|%10s|%-10s|%.2s'):format('abc', 'abc', 'abc', 'abc'), ('%s %s %s'):format(nil, true, 1.5))
print(('%s'):format(setmetatable({}, {__tostring = function() return 'shown' end})))
print(pcall(string.format, '%s', setmetatable({}, {__tostring = function() return 1 end})))
print(('%s'):format('a\0b') == 'a\0b', pcall(string.format, '%10s', 'a\0b'), pcall(string.format, '%s'))
--@ %q
print(('%q'):format('line\nnext "quoted" \\ \0 \r \1231'), ('%q'):format(1/3), ('%q'):format(42))
print(('%q'):format(math.huge), ('%q'):format(-math.huge), ('%q'):format(0/0), ('%q'):format(math.mininteger))
print(('%q'):format(nil), ('%q'):format(true), pcall(string.format, '%q', {}), pcall(string.format, '%5q', 'x'))
--@ %% and bad conversions
print(('100%%'):format(), pcall(string.format, '%'), pcall(string.format, '%y', 1), pcall(string.format, '%123d', 1))
print(pcall(string.format, '%0-+ #5.5d', 1), pcall(string.format, '%.123d', 1), pcall(string.format, '%#d', 1))
print(pcall(string.format, '%-#5.2f', 1), pcall(string.format, '% s', 'x'), pcall(string.format, '%10.10c', 65))
print(pcall(string.format, '%.3c', 65), pcall(string.format, '%.3p', {}), pcall(string.format, '%5', 1))
--@ %p of what has no address
print(('%p'):format(1), ('%p'):format(nil), ('%5p'):format(true), ('%p'):format('x') ~= nil)
--@ many arguments
local t = {} for i = 1, 100 do t[i] = i end print(('%d'):rep(100):format(table.unpack(t)))
--@ pack of integers
local function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end
for _, f in ipairs {'b', 'B', 'h', 'H', 'i', 'I', 'l', 'L', 'j', 'J', 'i3', 'I5', 'i16', '>i4', '<i4', '=i2', '>i7'} do
  print(f, hex(string.pack(f, 100)), string.unpack(f, string.pack(f, 100)))
end
--@ pack of negative integers
for _, f in ipairs {'b', 'h', 'i', 'i3', 'i16', '>i9', '<i12'} do print(f, string.unpack(f, string.pack(f, -2))) end
--@ pack refuses what does not fit
print(pcall(string.pack, 'b', 128), pcall(string.pack, 'B', 256), pcall(string.pack, 'i17', 1), pcall(string.pack, 'i0', 1))
print(pcall(string.pack, 'i2', 40000), pcall(string.pack, 'I1', -1), pcall(string.pack, 'y', 1), pcall(string.pack, 'i', 1.5))
print(pcall(string.pack, 'i'), pcall(string.pack, '!3i', 1), pcall(string.pack, '!4i3', 1))
--@ pack of floats
for _, v in ipairs {0.0, 1.5, -2.25, 1e100, math.huge} do
  print(v, string.unpack('d', string.pack('d', v)), string.unpack('>n', string.pack('>n', v)))
end
print(string.unpack('f', string.pack('f', 0.1)), #string.pack('f', 1), #string.pack('n', 1))
--@ pack of strings
print(string.unpack('s', string.pack('s', 'hello')), string.unpack('z', 'abc\0def'), string.unpack('s1', '\3abcd'))
print(#string.pack('c10', 'abc'), pcall(string.pack, 'c2', 'abc'), pcall(string.pack, 'z', 'a\0b'), pcall(string.pack, 's1', ('x'):rep(300)))
print(pcall(string.unpack, 'z', 'abc'), pcall(string.unpack, 's1', '\9abc'), pcall(string.unpack, 'c', 'abc'))
--@ alignment and padding
print(#string.pack('!4 b i', 1, 2), #string.pack('!8 b Xd d', 1, 2), #string.pack('bxb', 1, 2), #string.pack('<!4 i1 !2 i2', 1, 2))
print(pcall(string.pack, 'X', 1), pcall(string.pack, 'Xz'), string.unpack('!4 i1 !4 i4', string.pack('!4 i1 !4 i4', 3, 4)))
--@ packsize
print(string.packsize('i4'), string.packsize('!8 b d'), string.packsize('<i2 >i4 =i8'), pcall(string.packsize, 's'), pcall(string.packsize, 'z'))
print(string.packsize(''), pcall(string.packsize, 'c2147483647c2147483647'), string.packsize('c5'), string.packsize('!16 i16'))
--@ unpack at positions
print(string.unpack('i2', '\1\0\2\0', 3), string.unpack('<i2', '\1\0\2\0', -2), pcall(string.unpack, 'i4', 'abc'))
print(pcall(string.unpack, 'i2', 'ab', 4), string.unpack('', 'abc', 2), pcall(string.unpack, 'b', 'a', 2), string.unpack('<I2', '\xff\xff'))
print(pcall(string.unpack, '<i16', ('\xff'):rep(7) .. ('\1'):rep(9)), string.unpack('<i9', ('\xff'):rep(9)))
--@ a record round trip
local format = '>I2 s1 d b'
local packed = string.pack(format, 513, 'sensor', 21.5, -3)
print(#packed, string.unpack(format, packed))
