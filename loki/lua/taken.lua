-- Part of the prelude: Lua's own functions, taken before a script can change anything.

local assert, collectgarbage, error, load, next = assert, collectgarbage, error, load, next
local getmetatable, pcall, rawequal, rawget, rawlen = getmetatable, pcall, rawequal, rawget, rawlen
local select, setmetatable, tostring, type, xpcall = select, setmetatable, tostring, type, xpcall
local close, create, isyieldable = coroutine.close, coroutine.create, coroutine.isyieldable
local resume, running, status = coroutine.resume, coroutine.running, coroutine.status
local yield = coroutine.yield
local byte, find, format = string.byte, string.find, string.format
local match, sub, concat, pack = string.match, string.sub, table.concat, table.pack
local mathtype, clock, getinfo = math.type, os.clock, debug.getinfo
