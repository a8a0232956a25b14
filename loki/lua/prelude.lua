-- The trusted half of the sandbox: what a script can reach, and how it reaches the host.
--
-- It goes on in library.lua and session.lua, which share its locals; what it takes from Lua is in
-- taken.lua. What not all scripts need is loaded when it is first used: the other files.
--
-- The host calls this chunk once per state with the names of services and their functions, and
-- gets back its entry points. Only `go` runs the script's code, under the memory limit, in a
-- coroutine; the others run trusted code alone, with the limit lifted. Strings, numbers and
-- booleans cross the border, nothing else: neither side ever holds a reference into the other.
--
-- The script waits for the host by yielding TAG and what it wants. TAG is private, so that no
-- script can see or forge such a request, and the wrapped coroutine functions pass it on from any
-- depth. A budget that ends the run raises STOP, and every way to catch an error raises it again.
--
-- Scripts may change any table that they can reach, metatables and libraries too. So everything
-- below uses locals taken before the script runs, raw access, and no methods of strings.

-- What Lua raises, exactly: for want of memory, and where no message handler can be called any more.
local OUT_OF_MEMORY, IN_HANDLER = "not enough memory", "error in error handling"

local TAG, REFUSED = {}, {}
local STOP = setmetatable({}, { __metatable = false, __tostring = function() return "stopped" end })
local WEAK = { __mode = "k" }

local env = { -- What scripts get from Lua as it is; library.lua adds the rest.
  _VERSION = _VERSION, getmetatable = getmetatable, ipairs = ipairs, math = math, next = next,
  pairs = pairs, rawequal = rawequal, rawget = rawget, rawlen = rawlen, select = select,
  string = string, table = table, tonumber = tonumber, tostring = tostring, type = type,
  utf8 = utf8,
}
env._G = env
local root -- The script's coroutine.
local stopped -- Why the run is over although its code still unwinds.
local own_source = getinfo(1, "S").source

-- Stopping -------------------------------------------------------------------------------------

local function stop(why)
  stopped = stopped or why
  if isyieldable() then
    yield(TAG, "stopped")
  end
  error(STOP, 0)
end

local function halt()
  if stopped then
    stop()
  end
end

local function over()
  return stopped ~= nil
end

-- The results of a protected call. Nothing but Lua itself raises OUT_OF_MEMORY and IN_HANDLER:
-- `env.error`, `env.assert` and what handlers return see to that.
local function caught(ok, ...)
  if stopped or (not ok and rawequal((...), OUT_OF_MEMORY)) then
    stop("memory")
  end
  return ok, ...
end

local function unforged(message)
  local forged = rawequal(message, OUT_OF_MEMORY) or rawequal(message, IN_HANDLER)
  return forged and message .. " (raised by the script)" or message
end

-- Protected calls ------------------------------------------------------------------------------
--
-- When memory runs out, Lua calls no message handler, and runs the script's `__close` handlers
-- before any protected call returns: one that raises an error of its own puts it in the place of
-- OUT_OF_MEMORY, which then nobody sees. Two things give that away.
--
-- First, what comes before the unwinding. A frame below the script's code holds a value to be
-- closed, which does nothing. Lua calls the message handler of any other error while that frame
-- stands, and it puts one that makes a note in its place, through an upvalue. Before the first
-- `__close` handler runs, Lua has cut upvalues off the stack: a message handler that is called only
-- then changes nothing, and no note says that a regular error came first.
--
-- Second, what comes during it. Once a regular error unwinds, or `coroutine.close` does, a hook
-- sees each call, and with it what each `__close` handler is told: the error so far.

-- Both need room, for C calls and on the stack, or a regular error could not be told from the other.
-- So a frame without it, which only an overflow can lead to, overflows before the script's code runs.
local function room(_, size)
  return size and pack(
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  )
end

local UNNOTED = setmetatable({}, { __close = rawequal, __index = room }) -- Of C, for speed.
local note_meta = { __close = function(note) note.regular = true end }

local function framed(note, f, ...)
  local value <close> = UNNOTED
  local _ = UNNOTED[false]
  note.peek = function() return value end
  return f(...)
end

-- What the function at `level`, which has just been called, got as its argument `index`.
local function argument(level, called, index)
  local name, value
  if called.isvararg and index > called.nparams then -- Lua counts what has no name backwards.
    name, value = getlocal(level + 1, called.nparams - index)
  end
  if not name then -- Or it is of C.
    name, value = getlocal(level + 1, index)
  end
  return value
end

-- Whether the function at `level` is a `__close` handler that is told of OUT_OF_MEMORY. Where that is
-- called through `__call`, what is called instead comes before its arguments, once for each step.
local function told(level)
  local called = getinfo(level + 1, "fu")
  local f, index = called.func, 1
  while true do
    local value = argument(level + 1, called, index)
    local meta = metatable_of(value)
    if not meta then
      return false
    elseif rawequal(rawget(meta, "__close"), f) then
      if rawequal(argument(level + 1, called, index + 1), OUT_OF_MEMORY) then
        return true
      end
    end
    if not rawequal(rawget(meta, "__call"), f) then
      return false
    end
    f, index = value, index + 1
  end
end

-- The hook. Only `__close` handlers are called by `xpcall` itself, and by nobody in a coroutine that
-- is closed.
local function watch()
  local by = getinfo(3, "f")
  if (not by or by.func == xpcall) and told(2) then
    stopped = stopped or "memory"
  end
end

-- `hearing`: its handler began, and nothing watches yet. Only memory can run out then.
local function new_note()
  local note = { peek = false, handler = false, regular = false, watched = false, hearing = false }
  setmetatable(note, note_meta)
  function note.hear(e)
    if note.hearing then
      stopped = stopped or "memory"
    end
    note.hearing = not gethook()
    if note.peek and getinfo(2, "f").func ~= framed then
      setupvalue(note.peek, 1, note)
    else
      note.regular = true -- The script's code has yet to begin, or ended.
    end
    if note.hearing then
      sethook(watch, "c")
      note.watched, note.hearing = true, false
    end
    if note.handler then
      e = note.handler(e)
    end
    return e
  end
  return note
end

local notes, free = {}, 0 -- For use again.
local entered = 0 -- Protected calls that have yet to be left, or never will.

local function left(note, ok, ...)
  entered = entered - 1
  if ok and not note.regular then
    free = free + 1
    notes[free], note.peek = note, false
  elseif note.watched or not gethook() then -- It failed, or a compiler within it did.
    sethook()
    if not ok and (note.hearing or not note.regular) and not rawequal((...), IN_HANDLER) then
      stopped = stopped or "memory"
    end
  end
  return caught(ok, ...)
end

-- Like `xpcall`, but that the run ends where it is to end; `handler` may be false.
local function protected(handler, f, ...)
  halt()
  local note = notes[free] or new_note()
  free = free > 0 and free - 1 or 0
  note.handler = handler
  entered = entered + 1
  return left(note, xpcall(framed, note.hear, note, f, ...))
end

-- Parts that load when they are first used ----------------------------------------------------

local shared -- Gives what such a part sees of this chunk; in session.lua, where all of it exists.

-- The host's bytecode, one string a part; none of it ever leaves this table. A part runs whole or
-- not at all, and what memory it takes is the script's.
local late = setmetatable({}, {
  __index = function(parts, name)
    local start, message = load(BYTECODE[name], "=prelude", "b", {})
    if not start then
      caught(false, message)
      error(message, 0)
    end
    local part = start(shared())
    parts[name] = part
    return part
  end,
})

-- Waiting for the host -------------------------------------------------------------------------

local answer, answer_failed

-- A `__close` handler that memory ran out for may also wait, and never come to an end. Lua collects
-- all garbage before it gives up, so that each coroutine looks for this only after a collection.
local looked = setmetatable({}, { __mode = "kv" }) -- Coroutine -> garbage.

local function unmask()
  local co = running()
  if not looked[co] and (entered > 1 or co == root) then -- The script's code is in one.
    looked[co] = {}
    late.unwinding()
  end
end

local function await(name, ...)
  unmask()
  if not isyieldable() or rawequal(yield(TAG, ...), REFUSED) then
    late.failure.refuse(name)
  end
  local value, failed = answer, answer_failed
  answer, answer_failed = nil, nil
  if failed then
    late.failure.raise(value.code, value.message, value.details)
  end
  return value
end

local output = { size = 0, flushed_at = 0 } -- `size`: bytes that wait for the host.

-- Services -------------------------------------------------------------------------------------

local modules = { innermost = "" } -- `innermost`: which module runs, as the code that runs sees it.
local loaded = { -- Name -> what `require` gives for it.
  _G = env, math = math, string = string, table = table, utf8 = utf8,
}
local services = {} -- Proxy -> its metatable.

local function offered(proxy, key)
  return late.service(proxy, key)
end

local function unchangeable(proxy)
  error(services[proxy].__name .. " cannot be changed", 2)
end

-- `loki` or a child as scripts see it, sealed and empty from outside.
local function service(name, functions)
  local meta = {
    __index = offered, -- Until it is first used.
    __newindex = unchangeable,
    __name = name,
    __metatable = false,
    functions = functions, -- Each with a space before and after it.
  }
  local proxy = setmetatable({}, meta)
  services[proxy], env[name], loaded[name] = meta, proxy, proxy
end
