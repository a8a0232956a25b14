-- Part of the prelude: `require`. The host reads modules from the scripts folder; each runs once in
-- a run, with the script's own globals.

local loaded = {} -- Name -> what the module gave.
local required_by = {} -- Name of a module that is running -> who required it; "" is the script.
local innermost = "" -- Of the modules that are running.

-- The names from `name` on, which led to it again.
local function circle(name)
  local path, at = name, innermost
  while at ~= name and at and at ~= "" do
    path, at = at .. " > " .. path, required_by[at]
  end
  return name .. " > " .. path
end

local function running_module(name)
  required_by[name], innermost = innermost, name
  return setmetatable({}, {
    __close = function()
      innermost, required_by[name] = required_by[name], nil
    end,
  })
end

function env.require(...)
  local name = ...
  if type(name) ~= "string" then
    misfit("string", 1, "require", ...)
  elseif loaded[name] ~= nil then
    return loaded[name]
  elseif required_by[name] then
    error("modules require each other in a circle: " .. circle(name), 2)
  end
  local found = await("require", "module", name)
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

-- What is there anyway can be required too.
local function preload()
  for name, value in next, env do
    if type(value) == "table" then
      loaded[name] = value
    end
  end
end
