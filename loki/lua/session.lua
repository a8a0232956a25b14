-- Part of the prelude: the life of one script, what went wrong in it, and the host's entry points.

local randomseed = math.randomseed
local LEVELS, FRAMES, TEXT_LIMIT = 200, 20, 2000
local failure = {} -- Of the script, once it raised: text, trace, code, details.

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
  local lines = {}
  for level = 3, 3 + LEVELS do
    local info = getinfo(level, "Sln")
    if not info then
      break
    elseif info.what ~= "C" and info.source ~= own_source then
      if #lines == FRAMES then
        lines[FRAMES + 1] = "..."
        break
      end
      lines[#lines + 1] = frame(info)
    end
  end
  return cut(concat(lines, "\n"), TEXT_LIMIT)
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

-- Handler of the script's uncaught errors: runs where they were raised. `__close` handlers get
-- what it returns.
local function describe(e)
  if stopped then
    return STOP
  end
  failure.trace = trace()
  failure.text = cut(message_of(e), TEXT_LIMIT)
  local record = issued[e]
  failure.code = record and record.code
  failure.details = record and codec.encode(record.details, "details")
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
  return TAG, "failed", failure.text, failure.trace, failure.code, failure.details
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
  output_left = output_limit > 0 and output_limit or nil
  randomseed(...)
  env.params = codec.decode(params, 1)
  root = create(live)
  began = clock()
end

-- Takes the host's answer to the last request.
local function stage(packed, failed)
  answer = codec.decode(packed, 1)
  answer_failed = failed
end

-- Runs the script to its next request or its end. Gives the bytes of output that wait, the kind of
-- the request, and its parts. `ticket` is that of the function of `loki.all` which is answered.
local function go(ticket)
  flushed_at = clock()
  return step(resume(root, ticket))
end

-- Gives the output that waits.
local function drain()
  local text = concat(pieces)
  pieces, pieces_size = {}, 0
  return text
end

do
  local names = pack(...)
  service("loki", ".", names[1], {
    null = codec.null,
    array = loki_array,
    bytes = loki_bytes,
    all = loki_all,
  })
  for i = 2, names.n, 2 do
    service(names[i], ":", names[i + 1])
  end
  preload()
end

-- The host looks up `debug` in the true globals at each of its calls and must find it without
-- allocating; nothing else there is of use to anybody.
local globals = _G
for name in next, globals do
  globals[name] = nil
end
globals.debug = false

return compile, begin, stage, go, drain
