-- The trusted half of the sandbox: what a script can reach, and how it reaches the host.
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

local assert, collectgarbage, error, load, next = assert, collectgarbage, error, load, next
local getmetatable, pcall, rawequal, rawget, select = getmetatable, pcall, rawequal, rawget, select
local setmetatable, tostring, type, xpcall = setmetatable, tostring, type, xpcall
local close, create, isyieldable = coroutine.close, coroutine.create, coroutine.isyieldable
local resume, running, yield = coroutine.resume, coroutine.running, coroutine.yield
local byte, find, format = string.byte, string.find, string.format
local match, sub, concat, pack = string.match, string.sub, table.concat, table.pack
local mathtype, clock, getinfo = math.type, os.clock, debug.getinfo

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

-- The results of a protected call. Nothing but Lua itself raises OUT_OF_MEMORY: `env.error` and
-- `env.assert` see to that.
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

local function refuse(name)
  raise(
    "UNSUPPORTED",
    name
      .. " cannot wait here: not inside a table.sort comparator, a string.gsub callback, a "
      .. "metamethod that a library function calls, or __close of a closed coroutine; call it "
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

-- The whitelist --------------------------------------------------------------------------------

for name in string.gmatch(
  "ipairs next pairs rawequal rawget rawlen rawset select tonumber type getmetatable "
    .. "tostring string table math utf8 _VERSION",
  "%S+"
) do
  env[name] = _G[name]
end
env._G = env
env.os = { time = os.time, clock = clock, date = os.date, difftime = os.difftime }
string.dump = nil

local string_meta = getmetatable("")
string_meta.__index, string_meta.__metatable = string, false

local function check(value, wanted, index, name)
  if type(value) ~= wanted then
    local got = value == nil and "no value" or type(value)
    error(format("bad argument #%d to '%s' (%s expected, got %s)", index, name, wanted, got), 3)
  end
end

function env.error(message, level)
  if mathtype(level) == "integer" and level > 0 then
    level = level + 1
  end
  error(unforged(message), level or 2)
end

function env.assert(...)
  local passed, message = ...
  if passed or select("#", ...) < 2 then
    return assert(...)
  end
  error(unforged(message), 0)
end

function env.setmetatable(object, meta)
  check(object, "table", 1, "setmetatable")
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
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

-- Services -------------------------------------------------------------------------------------

local function shown(...)
  local arguments = pack(...)
  for i = 1, arguments.n do
    local value = arguments[i]
    local plain = type(value) == "number" or type(value) == "boolean" or value == nil
    arguments[i] = plain and tostring(value)
      or type(value) == "string" and #value < 40 and format("%q", value)
      or "..."
  end
  return concat(arguments, ", ", 1, arguments.n)
end

local function sealed(name, lookup)
  return setmetatable({}, {
    __index = lookup,
    __newindex = function()
      error(name .. " cannot be changed", 2)
    end,
    __name = name,
    __metatable = false,
  })
end

local function misused(name, separator, key, ...)
  local right = separator == ":" and "a colon" or "a dot"
  raise("ARGUMENT_INVALID", format("use %s%s%s(%s), with %s", name, separator, key, shown(...), right))
end

-- What `name` offers: functions of the host, made on first use, and `extras` that live here.
local function service(name, separator, functions, extras)
  local proxy
  local methods = extras or {}

  local function method(key)
    local label = name .. separator .. key
    if separator == "." then
      return function(...)
        if rawequal((...), proxy) then
          misused(name, separator, key, select(2, ...))
        end
        return await(label, "call", name, key, codec.encode_arguments(label, ...))
      end
    end
    return function(self, ...)
      if not rawequal(self, proxy) then
        misused(name, separator, key, self, ...)
      end
      return await(label, "call", name, key, codec.encode_arguments(label, ...))
    end
  end

  proxy = sealed(name, function(_, key)
    local found = methods[key]
    if found == nil and type(key) == "string" then
      if match(key, "^[%a_][%w_]*$") and find(functions, " " .. key .. " ", 1, true) then
        found = method(key)
        methods[key] = found
      else
        await(name .. separator .. key, "call", name, key, codec.encode_arguments(name))
      end
    end
    return found
  end)
  env[name] = proxy
end

local function loki_array(value)
  if value == nil then
    value = {}
  elseif type(value) ~= "table" then
    raise("ARGUMENT_INVALID", "loki.array(t): t must be a table, got " .. type(value))
  end
  codec.arrays[value] = true
  return value
end

local binary_meta = {
  __name = "bytes",
  __metatable = false,
  __tostring = function(self)
    return codec.binaries[self]
  end,
  __len = function(self)
    return #codec.binaries[self]
  end,
}

local function loki_bytes(text)
  if type(text) ~= "string" then
    raise("ARGUMENT_INVALID", "loki.bytes(s): s must be a string, got " .. type(text))
  end
  local binary = setmetatable({}, binary_meta)
  codec.binaries[binary] = text
  return binary
end

-- What went wrong ------------------------------------------------------------------------------

local FRAMES, TEXT_LIMIT = 20, 2000
local failure = {} -- Of the script, once it raised: text, line, trace, code, details.

local function frame(info)
  if info.what == "main" then
    return format("%s:%d: in main chunk", info.short_src, info.currentline)
  elseif info.namewhat == "" then
    return format(
      "%s:%d: in function defined at line %d", info.short_src, info.currentline, info.linedefined)
  end
  return format("%s:%d: in function '%s'", info.short_src, info.currentline, info.name)
end

local function trace()
  local lines, line = {}, 0
  for level = 3, 200 do
    local info = getinfo(level, "Sln")
    if not info or #lines == FRAMES then
      if info then
        lines[#lines + 1] = "..."
      end
      break
    elseif info.what ~= "C" and info.source ~= own_source then
      if #lines == 0 then
        line = info.currentline
      end
      lines[#lines + 1] = frame(info)
    end
  end
  return concat(lines, "\n"), line
end

local function message_of(e)
  if issued[e] then
    return issued[e].message
  elseif type(e) == "table" and not getmetatable(e) and type(rawget(e, "message")) == "string" then
    return rawget(e, "message")
  end
  local ok, text = pcall(tostring, e)
  if not ok and rawequal(text, OUT_OF_MEMORY) then
    stopped = "memory"
  end
  return ok and text or "an error that cannot be shown"
end

-- Handler of the script's uncaught errors: runs where they were raised.
local function describe(e)
  if stopped then
    return
  end
  failure.trace, failure.line = trace()
  failure.text = cut(message_of(e), TEXT_LIMIT)
  local record = issued[e]
  failure.code = record and record.code
  failure.details = record and codec.encode(record.details, "details")
end

-- The host's side ------------------------------------------------------------------------------

local source, chunk_name, result_is_binary

local function run()
  local script, message = load(source, chunk_name, "t", env)
  source = nil
  if not script then
    caught(false, message)
    return "invalid", message
  end
  local value = script()
  local kind = type(value)
  if kind == "function" or kind == "thread" then
    return "unsendable", kind
  elseif kind == "string" and result_is_binary then
    value = loki_bytes(value)
  end
  codec.fail = function(reason)
    raise("SCRIPT_ERROR", reason)
  end
  return "done", codec.encode(value, "result")
end

local function ended(ok, ...)
  if ok then
    return TAG, ...
  elseif rawequal((...), OUT_OF_MEMORY) then
    stopped = stopped or "memory"
  end
  return TAG, "failed", failure.text, failure.line, failure.trace, failure.code, failure.details
end

local function live()
  return ended(xpcall(run, describe))
end

local function step(ok, tag, ...)
  if not ok and rawequal(tag, OUT_OF_MEMORY) then
    stopped = stopped or "memory"
  end
  if stopped then
    return pieces_size, "stopped", stopped
  elseif not ok then
    return pieces_size, "broken", tostring(tag)
  end
  return pieces_size, ...
end

-- Compiles and forgets. Gives nil, or what is wrong.
local function validate(text, name)
  return (select(2, load(text, name, "t", env)))
end

-- Takes all that a run needs. `output_limit` is in bytes; 0 is no limit.
local function begin(text, name, params, output_limit, binary)
  source, chunk_name, result_is_binary = text, name, binary
  output_left = output_limit > 0 and output_limit or nil
  env.params = codec.decode(params, 1)
  root = create(live)
end

-- Takes the host's answer to the last request.
local function stage(packed, failed)
  answer = codec.decode(packed, 1)
  answer_failed = failed
end

-- Runs the script to its next request or its end. Gives the bytes of output that wait, the kind of
-- the request, and its parts.
local function go()
  flushed_at = clock()
  return step(resume(root))
end

-- Gives the output that waits.
local function drain()
  local text = concat(pieces)
  pieces, pieces_size = {}, 0
  return text
end

do
  local names = pack(...)
  service("loki", ".", names[1], { null = codec.null, array = loki_array, bytes = loki_bytes })
  for i = 2, names.n, 2 do
    service(names[i], ":", names[i + 1])
  end
end

-- The host looks up `debug` in the true globals at each of its calls and must find it without
-- allocating; nothing else there is of use to anybody.
local globals = _G
for name in next, globals do
  globals[name] = nil
end
globals.debug = false

return validate, begin, stage, go, drain
