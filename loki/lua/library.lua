-- Part of the prelude: Lua's own functions as scripts see them. Whatever could catch the end of a
-- run, hide a request to the host or open something closed is wrapped; the rest is Lua's.

local began = 0 -- What the process had computed before this run.
local os = { time = os.time, date = os.date, difftime = os.difftime }
function os.clock()
  return clock() - began
end
env.os, loaded.os = os, os

local dump = string.dump -- For the host alone.
string.dump = nil

local string_meta = getmetatable("")
string_meta.__index, string_meta.__metatable = string, false

local function misfit(wanted, index, name, ...)
  local got = select("#", ...) < index and "no value" or type((select(index, ...)))
  error(format("bad argument #%d to '%s' (%s expected, got %s)", index, name, wanted, got), 3)
end

-- Past `__newindex` leads only this way; what shows no metatable is not the script's to change.
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
    level = level > 2 and late.failure.level(level) or level + 1
  end
  error(unforged(message), level or 2)
end

function env.assert(...)
  local passed, message = ...
  if passed then
    return ...
  elseif select("#", ...) == 0 then
    error("bad argument #1 to 'assert' (value expected)", 2)
  elseif select("#", ...) == 1 then
    message = "assertion failed!"
  end
  error(unforged(message), 2)
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
  return setmetatable(object, meta)
end

function env.collectgarbage(option)
  if option ~= nil and option ~= "count" and option ~= "collect" then
    error("collectgarbage knows only 'count' and 'collect' in scripts", 2)
  end
  return collectgarbage(option)
end

local function callable(f)
  while type(f) ~= "function" do
    local meta = metatable_of(f)
    if not meta then
      return false
    end
    f = rawget(meta, "__call")
  end
  return true
end

function env.pcall(...)
  if callable((...)) then
    return protected(false, ...)
  elseif select("#", ...) == 0 then
    error("bad argument #1 to 'pcall' (value expected)", 2)
  end
  return pcall(...) -- Lua says what it is instead.
end

-- Functions of loki.all, and coroutines that wait for the host: one of those functions may reach
-- what waits in another.
local waiting = setmetatable({}, WEAK)

-- A function of a late part. Errors that name a level name the same one: this frame is gone then.
local function deferred(part, name)
  return function(...)
    return late[part][name](...)
  end
end

local coroutine = {
  close = deferred("coroutine", "close"),
  create = create,
  isyieldable = deferred("coroutine", "isyieldable"),
  resume = deferred("coroutine", "resume"),
  running = deferred("coroutine", "running"),
  status = deferred("coroutine", "status"),
  wrap = deferred("coroutine", "wrap"),
}

function coroutine.yield(...)
  local co = running()
  if co == root or waiting[co] then
    error("attempt to yield from outside a coroutine", 2)
  end
  unmask()
  return yield(...)
end

env.coroutine, loaded.coroutine = coroutine, coroutine
env.load = deferred("load", "load")
env.require = deferred("module", "require")
env.xpcall = deferred("xpcall", "xpcall")

function env.print(...)
  late.output.print(...) -- No tail call, so that an error can tell who called `tostring`.
end
