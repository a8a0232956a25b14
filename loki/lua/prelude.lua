-- The trusted half of the sandbox: what a script can reach, and how it reaches the host.
--
-- It goes on in library.lua, service.lua, module.lua, together.lua and session.lua, which share its
-- locals; what it takes from Lua is in taken.lua.
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

local LOAD_LIMIT = 256 * 1024 -- Bytes of source that `load` takes.
local PIECE_LIMIT = 16 * 1024 -- Bytes of output that wait for the host.
local FLUSH_S = 0.05
local OUT_OF_MEMORY = "not enough memory" -- What Lua raises, exactly.

local TAG, REFUSED = {}, {}
local STOP = setmetatable({}, { __metatable = false, __tostring = function() return "stopped" end })
local WEAK = { __mode = "k" }

local env = {}
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

-- The results of a protected call. Nothing but Lua itself raises OUT_OF_MEMORY: `env.error`,
-- `env.assert` and what handlers return see to that.
local function caught(ok, ...)
  if stopped or (not ok and rawequal((...), OUT_OF_MEMORY)) then
    stop("memory")
  end
  return ok, ...
end

local function unforged(message)
  return rawequal(message, OUT_OF_MEMORY) and OUT_OF_MEMORY .. " (raised by the script)" or message
end

-- Errors of calls ------------------------------------------------------------------------------

local issued = setmetatable({}, WEAK) -- Error table -> what it said when it was raised.
local error_meta = { __name = "error", __metatable = false }

function error_meta.__tostring(e)
  return format("%s [%s]", tostring(rawget(e, "message")), tostring(rawget(e, "code")))
end

function error_meta.__concat(a, b)
  return tostring(a) .. tostring(b)
end

local function raise(code, message, details)
  local e = {}
  for key, value in next, details or e do
    e[key] = value
  end
  e.code, e.message = code, message
  issued[e] = { code = code, message = message, details = details or {} }
  error(setmetatable(e, error_meta), 0)
end

-- What cannot be left in the middle: the innermost C function that called back, as the script called
-- it. Nil where it is in another coroutine's stack. Those of pcall can be left.
local function blocker()
  for level = 3, 200 do
    local info = getinfo(level, "Snf")
    if not info then
      return nil
    elseif info.what == "C" and info.func ~= pcall and info.func ~= xpcall then
      local around = getinfo(level + 1, "Sn")
      return around and around.source == own_source and around.name or info.name -- Such as print.
    end
  end
end

local function refuse(name)
  local called_by = blocker()
  raise(
    "UNSUPPORTED",
    name
      .. " cannot wait here: "
      .. (called_by and format("not inside a function that '%s' calls; call it ", called_by)
        or "not inside a table.sort comparator, a string.gsub callback, a metamethod that a "
          .. "library function calls, or __close of a closed coroutine; call it ")
      .. "before, keep the result in a local, and use that"
  )
end

codec.fail = function(reason)
  raise("ARGUMENT_INVALID", reason)
end

-- Waiting for the host -------------------------------------------------------------------------

local answer, answer_failed

local function await(name, ...)
  if not isyieldable() or rawequal(yield(TAG, ...), REFUSED) then
    refuse(name)
  end
  local value, failed = answer, answer_failed
  answer, answer_failed = nil, nil
  if failed then
    raise(value.code, value.message, value.details)
  end
  return value
end

-- Output ---------------------------------------------------------------------------------------

local pieces, pieces_size, flushed_at = {}, 0, 0
local output_left -- Bytes; nil is no cap.

-- The first `size` bytes at most, whole characters.
local function cut(text, size)
  if #text <= size then
    return text
  end
  while size > 0 and byte(text, size + 1) & 0xC0 == 0x80 do
    size = size - 1
  end
  return sub(text, 1, size)
end

local function write(text)
  local over = output_left and #text > output_left
  if over then
    text = cut(text, output_left)
  end
  pieces[#pieces + 1] = text
  pieces_size = pieces_size + #text
  if output_left then
    output_left = over and 0 or output_left - #text
  end
  if over then
    stop("output")
  elseif (pieces_size > PIECE_LIMIT or clock() - flushed_at > FLUSH_S) and isyieldable() then
    yield(TAG, "flush")
  end
end

function env.print(...)
  local line = pack(...)
  for i = 1, line.n do
    line[i] = tostring(line[i])
  end
  write(concat(line, "\t", 1, line.n) .. "\n")
end
