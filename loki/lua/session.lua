-- Part of the prelude: the life of one script, what went wrong in it, and the host's entry points.

local randomseed = math.randomseed
local EMPTY, NOTHING = "\x80", "\xc0" -- {} and nil, packed.
local failure = {} -- Of the script, once it raised: text, trace, code, details.

-- Handler of the script's uncaught errors: runs where they were raised. `__close` handlers get
-- what it returns.
local function describe(e)
  if stopped then
    return STOP
  end
  late.failure.describe(e)
  return unforged(e)
end

-- The host's side ------------------------------------------------------------------------------

local code, chunk_name, code_mode, result_is_binary

local function run()
  local script, message = load(code, chunk_name, code_mode, env)
  code = nil
  if not script then
    caught(false, message)
    return "invalid", message
  end
  local value = script()
  local kind = type(value)
  if value == nil then
    return "done", NOTHING
  elseif mathtype(value) == "integer" then
    return "done", packed(">Bi8", 0xd3, value)
  elseif kind == "function" or kind == "thread" then
    return "unsendable", kind
  elseif kind == "string" and result_is_binary then
    value = late.codec.bytes(value)
  end
  late.codec.refusal = "SCRIPT_ERROR"
  return "done", late.codec.encode(value, "result")
end

local function ended(ok, ...)
  if ok then
    return TAG, ...
  elseif rawequal((...), OUT_OF_MEMORY) then
    stopped = stopped or "memory"
  end
  return TAG, "failed", failure.text, failure.trace, failure.code, failure.details
end

local function live()
  return ended(protected(describe, run))
end

local function step(ok, tag, ...)
  if not ok and rawequal(tag, OUT_OF_MEMORY) then
    stopped = stopped or "memory"
  end
  if stopped then
    return output.size, "stopped", stopped
  elseif not ok then
    return output.size, "broken", tostring(tag)
  end
  return output.size, ...
end

-- Gives bytecode, with the lines that errors need; or nil, and what is wrong.
local function compile(text, name)
  local script, message = load(text, name, "t", env)
  return script and dump(script), message
end

-- Takes all that a run needs. `mode` tells source from bytecode, which only `compile` of a host's
-- state may have made: Lua does not check it. `output_limit` is in bytes; 0 is no limit. The seed
-- is two integers: Lua's own is the same for all states that one process makes within a second.
local function begin(text, name, mode, params, output_limit, binary, ...)
  code, chunk_name, code_mode, result_is_binary = text, name, mode, binary
  output.left = output_limit > 0 and output_limit or nil -- Bytes; nil is no limit.
  randomseed(...)
  env.params = params == EMPTY and {} or late.codec.decode(params, 1)
  root = create(live)
  began = clock()
end

-- Takes the host's answer to the last request.
local function stage(value, failed)
  answer = late.codec.decode(value, 1)
  answer_failed = failed
end

-- Runs the script to its next request or its end. Gives the bytes of output that wait, the kind of
-- the request, and its parts. `ticket` is that of the function of `loki.all` which is answered.
local function go(ticket)
  output.flushed_at = clock()
  return step(resume(root, ticket))
end

local function drain()
  return late.output.drain()
end

-- Under these names late parts see it, as it is once a script runs.
function shared()
  return await, byte, callable, caught, char, clock, close, codepoints, concat, create, env,
    error, failure, find, format, framed, gethook, getinfo, getlocal, getmetatable, halt,
    isyieldable, late, load, loaded, match, mathtype, metatable_of, misfit, modules, next,
    note_meta, output, over, own_source, pack, packed, pcall, protected, rawequal, rawget, rawlen,
    resume, root, running, select, services, sethook, setmetatable, status, stop, sub, tostring,
    type, unforged, unpack, waiting, watch, xpcall, yield, REFUSED, STOP, TAG, WEAK
end

do
  local names = pack(...)
  service("loki", names[1])
  for i = 2, names.n, 2 do
    service(names[i], names[i + 1])
  end
end

-- The host looks up `debug` in the true globals at each of its calls and must find it without
-- allocating. Where they were, Lua finds the names of its functions for its errors.
local GLOBALS = 2 -- Key of the registry.
debug.getregistry()[GLOBALS] = { debug = false }

return compile, begin, stage, go, drain
