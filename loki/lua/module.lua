-- Late part of the prelude: `require`. The host reads modules from the scripts folder; each runs
-- once in a run, with the script's own globals.

local required_by = {} -- Name of a module that is running -> who required it; "" is the script.

-- Why a module that is running cannot be required: it led to itself, by the names from `name` on, or
-- another function of loki.all came first.
local function busy(name)
  local path, at = name, modules.innermost
  while at ~= name do
    if not at or at == "" then
      return format("another function of loki.all is loading '%s'; require it before", name)
    end
    path, at = at .. " > " .. path, required_by[at]
  end
  return "modules require each other in a circle: " .. name .. " > " .. path
end

local function running_module(name)
  required_by[name], modules.innermost = modules.innermost, name
  return setmetatable({}, {
    __close = function()
      modules.innermost, required_by[name] = required_by[name], nil
    end,
  })
end

local function require(...)
  local name = ...
  if type(name) ~= "string" then
    misfit("string", 1, "require", ...)
  elseif loaded[name] ~= nil then
    return loaded[name]
  elseif required_by[name] then
    error(busy(name), 2)
  end
  local found = await("require", "module", name)
  if loaded[name] ~= nil then -- Meanwhile, by another function of loki.all.
    return loaded[name]
  elseif required_by[name] then
    error(busy(name), 2)
  end
  local module, message = load(found.code, "@" .. found.file, "b", env)
  if not module then
    caught(false, message)
    error(message, 0)
  end
  local _ <close> = running_module(name)
  local value = module(name, found.file)
  if value == nil then
    value = true
  end
  loaded[name] = value
  return value, found.file
end

return { require = require }
