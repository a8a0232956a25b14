-- Late part of the prelude: what `loki` and the children offer, once a script asks one of them.

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

local function misused(label, right, ...)
  late.failure.raise("ARGUMENT_INVALID", format("use %s(%s), with %s", label, shown(...), right))
end

local function loki_all(...)
  return late.together(...)
end

-- The `__index` of a proxy: functions of the host, made on first use, and those that live here.
local function lookup(proxy, name, functions)
  local codec = late.codec
  local methods, separator = {}, ":"
  if name == "loki" then
    separator = "."
    methods = { null = codec.null, array = codec.array, bytes = codec.bytes, all = loki_all }
  end

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

  return function(_, key)
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
  end
end

return function(proxy, key)
  local meta = services[proxy]
  meta.__index = lookup(proxy, meta.__name, meta.functions)
  return meta.__index(proxy, key)
end
