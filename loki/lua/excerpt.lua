-- Late part of the prelude: what a value is, in a short text for people that names no address.
--
-- Raw access only: no metamethod runs here, and nothing is looked at without a bound.

local MAX_DEPTH, MAX_ITEMS, MAX_KEYS = 3, 16, 1000
local STRING_BYTES, TOTAL_BYTES = 60, 400
local RANKS = { number = 1, string = 2, boolean = 3 } -- Of keys; all others come last.

local left -- Bytes that may still be shown.

local function quoted(text)
  local short = late.output.cut(text, STRING_BYTES)
  local parts = { format("%q", short) }
  local at = find(parts[1], "\n", 1, true)
  while at do -- `%q` writes a line break as a backslash and a line break.
    local last = parts[#parts]
    parts[#parts], parts[#parts + 1] = sub(last, 1, at - 1) .. "n", sub(last, at + 1)
    at = find(parts[#parts], "\n", 1, true)
  end
  return concat(parts) .. (#short < #text and "..." or "")
end

local function before(a, b)
  local kind, other = type(a), type(b)
  if kind == other and (kind == "number" or kind == "string") then
    return a < b
  elseif kind == other and kind == "boolean" then
    return b and not a
  end
  return (RANKS[kind] or 4) < (RANKS[other] or 4)
end

-- The first keys in order, and whether there are more.
local function first_keys(value)
  local keys, seen = {}, 0
  for key in next, value do
    seen = seen + 1
    if seen > MAX_KEYS then
      break
    end
    local at = #keys + 1
    while at > 1 and before(key, keys[at - 1]) do
      keys[at] = keys[at - 1]
      at = at - 1
    end
    keys[at] = key
    keys[MAX_ITEMS + 1] = nil
  end
  return keys, seen > MAX_ITEMS
end

local show

local function show_table(value, depth)
  left = left - 2 -- The braces.
  local codec = rawget(late, "codec") -- Without it, nothing of its kind exists.
  if codec and rawequal(value, codec.null) then
    return "loki.null"
  elseif codec and codec.binaries[value] then
    return format("(%d bytes)", #codec.binaries[value])
  elseif next(value) == nil then
    return "{}"
  elseif depth == MAX_DEPTH then
    return "{...}"
  end
  local keys, more = first_keys(value)
  local parts = {}
  for i = 1, #keys do
    local key = keys[i]
    if left <= 0 then
      more = true
      break
    end
    local name = ""
    if type(key) == "string" and #key <= STRING_BYTES and match(key, "^[%a_][%w_]*$") then
      name = key .. " = "
    elseif key ~= i then
      name = format("[%s] = ", show(key, MAX_DEPTH))
    end
    left = left - #name - 2 -- The separator.
    parts[i] = name .. show(rawget(value, key), depth + 1)
  end
  parts[#parts + 1] = more and "..." or nil
  return "{" .. concat(parts, ", ") .. "}"
end

function show(value, depth)
  local kind = type(value)
  if kind == "table" then
    return show_table(value, depth)
  end
  local text = kind
  if kind == "string" then
    text = quoted(value)
  elseif kind == "number" or kind == "boolean" then
    text = tostring(value)
  end
  left = left - #text
  return text
end

-- What an error is that is no text, such as "the error is a table: {code = 5}".
local function of_error(e)
  if e == nil then
    return "the error is nil"
  elseif type(e) ~= "table" then
    return "the error is a " .. type(e)
  end
  left = TOTAL_BYTES
  return "the error is a table: " .. show(e, 0)
end

return { of_error = of_error }
