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
env.os = { time = os.time, clock = clock, date = os.date, difftime = os.difftime }
local dump = string.dump -- For the host alone.
string.dump = nil

local string_meta = getmetatable("")
string_meta.__index, string_meta.__metatable = string, false

local function check(value, wanted, index, name)
  if type(value) ~= wanted then
    local problem = format("%s expected, got %s", wanted, type(value))
    error(format("bad argument #%d to '%s' (%s)", index, name, problem), 3)
  end
end

-- Past `__newindex` leads only this way; what shows no metatable is not the script's to change.
local rawset, getmetatable = rawset, getmetatable
function env.rawset(table, key, value)
  check(table, "table", 1, "rawset")
  if getmetatable(table) == false then
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

function env.setmetatable(object, meta)
  check(object, "table", 1, "setmetatable")
  if meta ~= nil then
    check(meta, "table", 2, "setmetatable")
    if rawget(meta, "__gc") ~= nil then
      error("__gc is not available in scripts; use a <close> variable", 2)
    end
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
    elseif type(part) ~= "string" then
      error("reader function must return a string", 3)
    end
    size = size + #part
    if size > LOAD_LIMIT then
      return nil
    end
    parts[#parts + 1] = part
  end
end

function env.load(chunk, name, mode, ...)
  local source = chunk
  if type(chunk) == "function" then
    source = joined(chunk)
    name = name or "=(load)"
  elseif type(chunk) ~= "string" then
    check(chunk, "function", 1, "load")
  end
  if not source or #source > LOAD_LIMIT then
    return nil, format("chunk is larger than %d KiB", LOAD_LIMIT // 1024)
  elseif type(mode) == "string" and not find(mode, "t", 1, true) then
    return nil, format("attempt to load a text chunk (mode is '%s')", mode)
  end
  local scope = env
  if select("#", ...) > 0 then
    scope = (...)
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

function env.xpcall(f, handler, ...)
  if stopped then
    stop()
  end
  check(handler, "function", 2, "xpcall")
  return caught(xpcall(f, function(...)
    if stopped then
      return STOP
    end
    return handler(...)
  end, ...))
end

-- Coroutines -----------------------------------------------------------------------------------

-- The results of a resume, once it yields or ends for the script. Requests to the host pass.
local function passed(co, ok, ...)
  if ok and rawequal((...), TAG) then
    if not isyieldable() then
      return passed(co, resume(co, REFUSED))
    end
    return passed(co, resume(co, yield(...)))
  end
  return caught(ok, ...)
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

env.coroutine = { create = create, isyieldable = isyieldable, status = coroutine.status }

function env.coroutine.running()
  local co = running()
  return co, co == root
end

function env.coroutine.isyieldable(...)
  if select("#", ...) > 0 then
    return isyieldable(...)
  end
  return running() ~= root and isyieldable()
end

function env.coroutine.yield(...)
  if running() == root then
    error("attempt to yield from outside a coroutine", 2)
  end
  return yield(...)
end

function env.coroutine.resume(co, ...)
  check(co, "thread", 1, "resume")
  if stopped then
    stop()
  end
  return passed(co, resume(co, ...))
end

function env.coroutine.wrap(f)
  check(f, "function", 1, "wrap")
  local co = create(f)
  return function(...)
    if stopped then
      stop()
    end
    return unwrapped(co, passed(co, resume(co, ...)))
  end
end

function env.coroutine.close(co)
  check(co, "thread", 1, "close")
  return caught(close(co))
end
