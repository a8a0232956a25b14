-- Late part of the prelude: Lua values as msgpack and back, for the border between a script and its
-- host.
--
-- Raw access only: no metamethod runs here. A table is an array if its keys are exactly 1 to n and
-- n > 0, or if it is marked as one; else it is a map with strings as keys.

local MAX_DEPTH = 32
local MAX_SIZE = 8 * 1024 * 1024 -- Bytes of one packed value.
local RAW_STRING, UNSENDABLE = 1, 2 -- Ext types, in arguments only.

local codec = {
  null = setmetatable({}, {
    __name = "null",
    __newindex = function()
      error("loki.null cannot be changed", 2)
    end,
    __tostring = function()
      return "null"
    end,
    __metatable = false,
  }),
  arrays = setmetatable({}, WEAK), -- Table -> true: an array even when it is empty.
  binaries = setmetatable({}, WEAK), -- What loki.bytes gave -> its string.
}
local null, arrays, binaries = codec.null, codec.arrays, codec.binaries
codec.refusal = "ARGUMENT_INVALID" -- The code of errors about values.

-- Encoding -------------------------------------------------------------------------------------

local KEPT = 64 -- Pieces that the buffer is cleared for, not replaced.
local buffer, length, size = {}, 0, 0 -- Pieces of what is being encoded, and their bytes.
local root, argument, path = "", nil, {} -- Where in the value we are, for errors.
local open = {} -- The tables around it.

local function place(depth)
  local parts = { argument and format("%s: argument %d", root, argument) or root }
  for i = 1, depth do
    local key = path[i]
    if type(key) == "string" and match(key, "^[%a_][%w_]*$") then
      parts[i + 1] = "." .. key
    elseif type(key) == "string" then
      parts[i + 1] = format("[%q]", sub(key, 1, 40))
    else
      parts[i + 1] = "[" .. key .. "]"
    end
  end
  return concat(parts)
end

local function fail(depth, reason)
  late.failure.raise(codec.refusal, place(depth) .. ": " .. reason)
end

local function put(piece, depth)
  length = length + 1
  buffer[length] = piece
  size = size + #piece
  if size > MAX_SIZE then
    fail(depth, format("the value is larger than %d MiB", MAX_SIZE // 1048576))
  end
end

local function put_blob(short, short_limit, tag, value, depth)
  local n = #value
  put(n < short_limit and char(short + n) or packed(">BI4", tag, n), depth)
  put(value, depth)
end

local function put_string(value, depth)
  if not codepoints(value) then
    fail(depth, "a string that is not UTF-8; wrap binary data in loki.bytes(s)")
  end
  put_blob(0xa0, 32, 0xdb, value, depth)
end

local function put_number(value, depth)
  if mathtype(value) == "integer" then
    put(value >= 0 and value < 128 and char(value) or packed(">Bi8", 0xd3, value), depth)
  elseif value ~= value or value - value ~= 0 then
    fail(depth, format("%s is no value that can leave a script", tostring(value)))
  else
    put(packed(">Bd", 0xcb, value), depth)
  end
end

local put_value

local function put_array(value, count, depth)
  put(packed(">BI4", 0xdd, count), depth)
  for i = 1, count do
    path[depth + 1] = i
    local item = rawget(value, i)
    if item == nil then
      fail(depth, format("a hole at [%d]; fill holes with loki.null", i))
    end
    put_value(item, depth + 1)
  end
end

local function put_map(value, count, depth)
  put(packed(">BI4", 0xdf, count), depth)
  for key, item in next, value do
    if type(key) ~= "string" then
      fail(depth, format("a key of type %s; keys are strings, or 1 to n without holes", type(key)))
    end
    path[depth + 1] = key
    put_string(key, depth + 1)
    put_value(item, depth + 1)
  end
end

local function put_table(value, depth)
  if open[value] then
    fail(depth, "the table contains itself")
  end
  open[value] = true
  local count, items = 0, rawlen(value)
  for _ in next, value do
    count = count + 1
  end
  if items == 0 and not arrays[value] then
    put_map(value, count, depth)
  elseif count <= items then
    put_array(value, items, depth)
  else
    fail(depth, "an array with other keys; keys are strings, or 1 to n without holes")
  end
  open[value] = nil
end

function put_value(value, depth)
  local kind = type(value)
  if depth > MAX_DEPTH then
    fail(depth, format("nested deeper than %d", MAX_DEPTH))
  elseif value == nil or rawequal(value, null) then
    put("\xc0", depth)
  elseif kind == "boolean" then
    put(value and "\xc3" or "\xc2", depth)
  elseif kind == "number" then
    put_number(value, depth)
  elseif kind == "string" then
    put_string(value, depth)
  elseif kind ~= "table" then
    fail(depth, format("a %s cannot leave a script", kind))
  elseif binaries[value] then
    put(packed(">BI4", 0xc6, #binaries[value]), depth)
    put(binaries[value], depth)
  else
    put_table(value, depth)
  end
end

local function clear()
  if length > KEPT then
    buffer, path = {}, {}
  else
    for i = 1, length do
      buffer[i] = nil
    end
  end
  length, size = 0, 0
end

local function begin(name)
  root, argument = name, nil
  if length > 0 then -- The last one failed.
    clear()
    open = {}
  end
end

local function finish()
  local text = concat(buffer, "", 1, length)
  clear()
  return text
end

-- One value. The texts of errors begin with `name`.
function codec.encode(value, name)
  begin(name)
  put_value(value, 0)
  return finish()
end

-- Arguments of a call, as an array. What only their declared types can judge becomes an Ext:
-- strings that are not UTF-8, and values that have no form.
function codec.encode_arguments(name, ...)
  begin(name)
  local count = select("#", ...)
  put(count < 16 and char(0x90 + count) or packed(">BI4", 0xdd, count), 0)
  for i = 1, count do
    local value = (select(i, ...))
    local kind = type(value)
    if kind == "string" and not codepoints(value) then
      put(packed(">BI4B", 0xc9, #value, RAW_STRING), 0)
      put(value, 0)
    elseif kind == "function" or kind == "thread" then
      put(packed(">BI4B", 0xc9, #kind, UNSENDABLE), 0)
      put(kind, 0)
    else
      argument = i
      put_value(value, 0)
    end
  end
  return finish()
end

-- Decoding -------------------------------------------------------------------------------------

local decode

local function get_blob(text, at, n)
  return sub(text, at, at + n - 1), at + n
end

local function get_array(text, at, n)
  local array = {}
  arrays[array] = true
  for i = 1, n do
    local item
    item, at = decode(text, at)
    array[i] = item == nil and null or item
  end
  return array, at
end

local function get_map(text, at, n)
  local map = {}
  for _ = 1, n do
    local key
    key, at = decode(text, at)
    map[key], at = decode(text, at)
  end
  return map, at
end

-- Formats, not functions: each state makes these tables anew.
local NUMBERS = {
  [0xca] = ">f", [0xcb] = ">d", [0xcc] = ">I1", [0xcd] = ">I2", [0xce] = ">I4", [0xcf] = ">i8",
  [0xd0] = ">i1", [0xd1] = ">i2", [0xd2] = ">i4", [0xd3] = ">i8",
}
local LENGTHS = {
  [0xc4] = ">I1", [0xc5] = ">I2", [0xc6] = ">I4", [0xd9] = ">I1", [0xda] = ">I2", [0xdb] = ">I4",
  [0xdc] = ">I2", [0xdd] = ">I4", [0xde] = ">I2", [0xdf] = ">I4",
}

local function get_marked(tag, text, at)
  if NUMBERS[tag] then
    return unpack(NUMBERS[tag], text, at)
  elseif tag <= 0xc3 then -- null, false, true
    if tag == 0xc0 then
      return nil, at
    end
    return tag == 0xc3, at
  end
  local get = tag < 0xdc and get_blob or tag < 0xde and get_array or get_map
  local n
  n, at = unpack(LENGTHS[tag], text, at)
  return get(text, at, n)
end

-- The value at byte `at`, and where the next one begins. Trusts the host to send valid msgpack.
function decode(text, at)
  local tag = byte(text, at)
  if tag < 0x80 then
    return tag, at + 1
  elseif tag >= 0xe0 then
    return tag - 0x100, at + 1
  elseif tag >= 0xc0 then
    return get_marked(tag, text, at + 1)
  elseif tag >= 0xa0 then
    return get_blob(text, at + 1, tag - 0xa0)
  elseif tag >= 0x90 then
    return get_array(text, at + 1, tag - 0x90)
  end
  return get_map(text, at + 1, tag - 0x80)
end

codec.decode = decode

-- Marks ----------------------------------------------------------------------------------------

-- loki.array and loki.bytes.
function codec.array(value)
  if value == nil then
    value = {}
  elseif type(value) ~= "table" then
    late.failure.raise("ARGUMENT_INVALID", "loki.array(t): t must be a table, got " .. type(value))
  end
  arrays[value] = true
  return value
end

local binary_meta = {
  __name = "bytes",
  __metatable = false,
  __tostring = function(self)
    return binaries[self]
  end,
  __len = function(self)
    return #binaries[self]
  end,
}

function codec.bytes(text)
  if type(text) ~= "string" then
    late.failure.raise("ARGUMENT_INVALID", "loki.bytes(s): s must be a string, got " .. type(text))
  end
  local binary = setmetatable({}, binary_meta)
  binaries[binary] = text
  return binary
end

return codec
