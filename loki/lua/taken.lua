-- Part of the prelude: Lua's own functions, taken before a script can change anything.

local assert, collectgarbage, error, load, next = assert, collectgarbage, error, load, next
local getmetatable, pcall, rawequal, rawget, rawlen = getmetatable, pcall, rawequal, rawget, rawlen
local rawset, select, setmetatable, tostring, type = rawset, select, setmetatable, tostring, type
local xpcall = xpcall
local close, create, isyieldable = coroutine.close, coroutine.create, coroutine.isyieldable
local resume, running, status = coroutine.resume, coroutine.running, coroutine.status
local yield = coroutine.yield
local byte, char, find, format = string.byte, string.char, string.find, string.format
local match, sub, packed, unpack = string.match, string.sub, string.pack, string.unpack
local concat, pack, codepoints = table.concat, table.pack, utf8.len
local mathtype, clock = math.type, os.clock
local getinfo, getlocal, setupvalue = debug.getinfo, debug.getlocal, debug.setupvalue
local gethook, sethook, metatable_of = debug.gethook, debug.sethook, debug.getmetatable
