-- Part of the prelude: `loki` and the children as scripts see them, sealed and empty from outside.

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

local function misused(label, right, ...)
  raise("ARGUMENT_INVALID", format("use %s(%s), with %s", label, shown(...), right))
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
          misused(label, "a dot", select(2, ...))
        end
        return await(label, "call", name, key, codec.encode_arguments(label, ...))
      end
    end
    return function(...)
      if not rawequal((...), proxy) then
        misused(label, "a colon", ...)
      end
      return await(label, "call", name, key, codec.encode_arguments(label, select(2, ...)))
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
