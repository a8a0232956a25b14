-- Part of the prelude: Lua's own functions as scripts see them. Whatever could catch the end of a
-- run, hide a request to the host or open something closed is wrapped; the rest is Lua's.

for name in string.gmatch(
  "ipairs next pairs rawequal rawget rawlen select tonumber type getmetatable "
    .. "tostring string table math utf8 _VERSION",
  "%S+"
) do
  env[name] = _G[name]
end
env._G = env
env.os = { time = os.time, date = os.date, difftime = os.difftime }

local began = 0 -- What the process had computed before this run.
function env.os.clock()
  return clock() - began
end

local dump = string.dump -- For the host alone.
string.dump = nil

-- Here Lua finds the names of functions for its errors, once the true globals are empty.
local named = {}
for name, value in next, _G do
  named[name] = value
end
package.loaded._G = named

local string_meta = getmetatable("")
string_meta.__index, string_meta.__metatable = string, false

local function misfit(wanted, index, name, ...)
  local got = select("#", ...) < index and "no value" or type((select(index, ...)))
  error(format("bad argument #%d to '%s' (%s expected, got %s)", index, name, wanted, got), 3)
end

-- Past `__newindex` leads only this way; what shows no metatable is not the script's to change.
local rawset, getmetatable = rawset, getmetatable
function env.rawset(...)
  local table, key, value = ...
  if type(table) ~= "table" then
    misfit("table", 1, "rawset", ...)
  elseif select("#", ...) < 3 then
    error(format("bad argument #%d to 'rawset' (value expected)", select("#", ...) + 1), 2)
  elseif getmetatable(table) == false then
    error("this table cannot be changed", 2)
  end
  return rawset(table, key, value)
end

function env.error(message, level)
  if mathtype(level) == "integer" and level > 0 then
    level = level + 1
  end
  error(unforged(message), level or 2)
end

function env.assert(...)
  local passed, message = ...
  if passed or select("#", ...) == 0 then
    return assert(...)
  elseif select("#", ...) == 1 then
    message = "assertion failed!"
  end
  error(unforged(message), 2)
end

local guards = setmetatable({}, WEAK)

-- A `__close` handler that never sees, and so cannot replace, the error that ends the run. One that
-- is put into a metatable afterwards passes by here: Lua tells nobody of it.
local function guarded(handler)
  local function guard(object, e)
    if stopped or rawequal(e, OUT_OF_MEMORY) then
      stop("memory")
    end
    return handler(object, e)
  end
  guards[guard] = true
  return guard
end

function env.setmetatable(...)
  local object, meta = ...
  if type(object) ~= "table" then
    misfit("table", 1, "setmetatable", ...)
  elseif type(meta) ~= "table" and (meta ~= nil or select("#", ...) < 2) then
    misfit("nil or table", 2, "setmetatable", ...)
  elseif meta and rawget(meta, "__gc") ~= nil then
    error("__gc is not available in scripts; use a <close> variable", 2)
  end
  local handler = meta and rawget(meta, "__close")
  if handler and not guards[handler] then
    rawset(meta, "__close", guarded(handler))
  end
  return setmetatable(object, meta)
end

function env.collectgarbage(option)
  if option ~= nil and option ~= "count" and option ~= "collect" then
    error("collectgarbage knows only 'count' and 'collect' in scripts", 2)
  end
  return collectgarbage(option)
end

local function joined(reader)
  local parts, size = {}, 0
  while true do
    local part = reader()
    if part == nil or part == "" then
      return concat(parts)
    elseif type(part) ~= "string" and type(part) ~= "number" then
      error("reader function must return a string", 4)
    end
    part = part .. ""
    size = size + #part
    if size > LOAD_LIMIT then
      return part .. concat(parts)
    end
    parts[#parts + 1] = part
  end
end

function env.load(...)
  local chunk, name, mode = ...
  local read, source = true, chunk
  if type(chunk) == "function" then
    read, source = caught(pcall(joined, chunk))
    if not read then
      return nil, source
    end
    name = name or "=(load)"
  elseif type(chunk) == "number" then
    source = chunk .. ""
  elseif type(chunk) ~= "string" then
    misfit("function", 1, "load", ...)
  end
  if #source > LOAD_LIMIT then
    return nil, format("chunk is larger than %d KiB", LOAD_LIMIT // 1024)
  elseif type(mode) == "string" and not find(mode, "t", 1, true) then
    return nil, format("attempt to load a text chunk (mode is '%s')", mode)
  end
  local scope = env
  if select("#", ...) > 3 then
    scope = select(4, ...)
  end
  local f, message = load(source, name or source, "t", scope)
  if not f then
    return caught(f, message)
  end
  return f
end

function env.pcall(...)
  if stopped then
    stop()
  end
  return caught(pcall(...))
end

function env.xpcall(...)
  local f, handler = ...
  if stopped then
    stop()
  elseif type(handler) ~= "function" then
    misfit("function", 2, "xpcall", ...)
  end
  return caught(xpcall(f, function(e)
    if stopped then
      return STOP
    end
    return (unforged(handler(e)))
  end, select(3, ...)))
end

-- Coroutines -----------------------------------------------------------------------------------

-- Functions of loki.all, and coroutines that wait for the host: one of those functions may reach
-- what waits in another.
local waiting = setmetatable({}, WEAK)
local NOT_SUSPENDED = "cannot resume non-suspended coroutine"

local function woken(co, ...)
  waiting[co] = nil
  return resume(co, ...)
end

-- The results of a resume, once it yields or ends for the script. Requests to the host pass.
local function passed(co, ok, ...)
  if ok and rawequal((...), TAG) then
    if not isyieldable() then
      return passed(co, resume(co, REFUSED))
    end
    waiting[co] = true
    return passed(co, woken(co, yield(...)))
  end
  return caught(ok, ...)
end

local function resumed(co, ...)
  if stopped then
    stop()
  elseif waiting[co] then
    return false, NOT_SUSPENDED
  end
  return passed(co, resume(co, ...))
end

local function unwrapped(co, ok, ...)
  if ok then
    return ...
  end
  local _, message = caught(close(co))
  if message == nil then
    message = (...)
  end
  error(message, type(message) == "string" and 2 or 0)
end

local function status_of(...)
  local co = ...
  if type(co) ~= "thread" then
    misfit("thread", 1, "status", ...)
  end
  local state = status(co)
  return state == "suspended" and waiting[co] and "normal" or state
end

env.coroutine = { create = create, status = status_of }

function env.coroutine.running()
  local co = running()
  return co, co == root
end

function env.coroutine.isyieldable(...)
  if select("#", ...) > 0 then
    return isyieldable(...)
  end
  local co = running()
  return co ~= root and not waiting[co] and isyieldable()
end

function env.coroutine.yield(...)
  local co = running()
  if co == root or waiting[co] then
    error("attempt to yield from outside a coroutine", 2)
  end
  return yield(...)
end

function env.coroutine.resume(co, ...)
  if type(co) ~= "thread" then
    misfit("thread", 1, "resume", co)
  end
  return resumed(co, ...)
end

function env.coroutine.wrap(...)
  local f = ...
  if type(f) ~= "function" then
    misfit("function", 1, "wrap", ...)
  end
  local co = create(f)
  return function(...)
    if waiting[co] then
      error(NOT_SUSPENDED, 2)
    end
    return unwrapped(co, resumed(co, ...))
  end
end

function env.coroutine.close(...)
  local co = ...
  if type(co) ~= "thread" then
    misfit("thread", 1, "close", ...)
  end
  local state = status_of(co)
  if state ~= "suspended" and state ~= "dead" then
    error(format("cannot close a %s coroutine", state), 2)
  end
  return caught(close(co))
end
