-- Late part of the prelude: errors of calls, and what went wrong in a script.

local LEVELS, FRAMES, TEXT_LIMIT = 200, 20, 2000
local REFERENCES = { ["function"] = true, table = true, thread = true } -- What has an address.
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
  for level = 3, LEVELS do
    local info = getinfo(level, "Snf")
    if not info then
      return nil
    elseif info.what == "C" and info.func ~= pcall and info.func ~= xpcall then
      local around = getinfo(level + 1, "Sn")
      return around and around.source == own_source and around.name or info.name -- Such as print.
    end
  end
end

local blocked_by -- What `block` saw; the next refusal is its.

-- A coroutine is refused what it asks for, because of where it was resumed.
local function block()
  blocked_by = blocker()
end

local function refuse(name)
  local called_by = blocker() or blocked_by
  blocked_by = nil
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
  return late.output.cut(concat(lines, "\n"), TEXT_LIMIT)
end

local function message_of(e)
  if issued[e] then
    return issued[e].message
  elseif type(e) == "table" and not getmetatable(e) and type(rawget(e, "message")) == "string" then
    return rawget(e, "message")
  end
  local ok, text = protected(false, tostring, e)
  if not ok then
    return "an error that cannot be shown"
  elseif e == nil or (REFERENCES[type(e)] and find(text, format("%p", e), 1, true)) then
    return late.excerpt.of_error(e) -- Lua knows nothing but its address.
  end
  return text
end

-- Notes in `failure` what the script did not catch.
local function describe(e)
  failure.trace = trace()
  failure.text = late.output.cut(message_of(e), TEXT_LIMIT)
  local record = issued[e]
  failure.code = record and record.code
  failure.details = record and late.codec.encode(record.details, "details")
end

-- Which level of `error`, called where this is, a script means by `level`: it does not see our frames.
local function level_of(level)
  local real = 2
  local info = getinfo(real + 1, "S")
  while info do
    level = info.source == own_source and level or level - 1
    if level == 0 then
      break
    end
    real = real + 1
    info = getinfo(real + 1, "S")
  end
  return real
end

return { level = level_of, raise = raise, refuse = refuse, block = block, describe = describe }
