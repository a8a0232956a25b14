-- Late part of the prelude: `load`, for text alone.

local LIMIT = 256 * 1024 -- Bytes of source that it takes.

local function joined(reader)
  local parts, size = {}, 0
  while true do
    local part = reader()
    if part == nil or part == "" then
      return concat(parts)
    elseif type(part) ~= "string" and type(part) ~= "number" then
      error("reader function must return a string", 6)
    end
    part = part .. ""
    size = size + #part
    if size > LIMIT then
      return part .. concat(parts)
    end
    parts[#parts + 1] = part
  end
end

local function script_load(...)
  local chunk, name, mode = ...
  local read, source = true, chunk
  if type(chunk) == "function" then
    read, source = protected(false, joined, chunk)
    if not read then
      return nil, source
    end
    name = name or "=(load)"
  elseif type(chunk) == "number" then
    source = chunk .. ""
  elseif type(chunk) ~= "string" then
    misfit("function", 1, "load", ...)
  end
  if #source > LIMIT then
    return nil, format("chunk is larger than %d KiB", LIMIT // 1024)
  elseif type(mode) == "string" and not find(mode, "t", 1, true) then
    return nil, format("attempt to load a text chunk (mode is '%s')", mode)
  end
  local scope = env
  if select("#", ...) > 3 then
    scope = select(4, ...)
  end
  local f, message = load(source, name or source, "t", scope)
  if not f then
    return caught(f, message)
  end
  return f
end

return { load = script_load }
