-- Runs many programs in plain Lua, each as if it were alone, and tells what each one did.
--
-- In: programs, each as an s4 string. Out, for each: what it printed, MARK, then "value " or
-- "error " and a description, MARK.

local MARK = "\0next\0"
local read, write, unpack = io.read, io.write, string.unpack
local LONG = 50000000 -- Instructions.
local CHUNK = ...

local kept, tables = {}, { _G, string, table, math, utf8, os, coroutine }
for _, t in next, tables do
  kept[t] = {}
  for key, value in next, t do
    kept[t][key] = value
  end
end

local next, pcall, load, tostring, type = next, pcall, load, tostring, type
local format, concat, sort = string.format, table.concat, table.sort
local sethook, exit, stderr = debug.sethook, os.exit, io.stderr
local mathtype, getmetatable, setmetatable, rawget = math.type, getmetatable, setmetatable, rawget

local function restore()
  setmetatable(_G, nil)
  for _, t in next, tables do
    for key in next, t do
      t[key] = nil
    end
    for key, value in next, kept[t] do
      t[key] = value
    end
  end
end

local function describe(value)
  if mathtype(value) == "float" then
    return format("%.17g", value) .. "f"
  elseif type(value) == "string" then
    return "'" .. value
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  if #value > 0 then
    for i = 1, #value do
      parts[i] = describe(value[i])
    end
    return "[" .. concat(parts, ",") .. "]"
  end
  for key, item in next, value do
    parts[#parts + 1] = tostring(key) .. "=" .. describe(item)
  end
  sort(parts)
  return "{" .. concat(parts, ",") .. "}"
end

local function message(e)
  if type(e) == "table" and not getmetatable(e) and type(rawget(e, "message")) == "string" then
    return e.message
  end
  local ok, text = pcall(tostring, e)
  return ok and text or "an error that cannot be shown"
end

local source -- Of the program that runs.

local function judged(ok, value)
  return ok and "value " .. describe(value) or "error " .. message(value)
end

local function too_long()
  stderr:write("no end of " .. source)
  exit(1)
end

local text, at = read("a"), 1
while at <= #text do
  source, at = unpack("<s4", text, at)
  sethook(too_long, "", LONG)
  local f, problem = load(source, "@" .. CHUNK, "t")
  local outcome = f and judged(pcall(f)) or "error " .. tostring(problem)
  restore()
  write(MARK, outcome, MARK)
end
