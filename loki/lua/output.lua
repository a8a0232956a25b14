-- Late part of the prelude: what scripts print, until the host takes it.

local PIECE_LIMIT = 16 * 1024 -- Bytes of output that wait for the host.
local FLUSH_S = 0.05

local pieces = {}

-- The first `size` bytes at most, whole characters.
local function cut(text, size)
  if #text <= size then
    return text
  end
  while size > 0 and byte(text, size + 1) & 0xC0 == 0x80 do
    size = size - 1
  end
  return sub(text, 1, size)
end

local function write(text)
  local over = output.left and #text > output.left
  if over then
    text = cut(text, output.left)
  end
  pieces[#pieces + 1] = text
  output.size = output.size + #text
  if output.left then
    output.left = over and 0 or output.left - #text
  end
  if over then
    stop("output")
  elseif (output.size > PIECE_LIMIT or clock() - output.flushed_at > FLUSH_S) and isyieldable() then
    yield(TAG, "flush")
  end
end

local function print(...)
  local line = pack(...)
  for i = 1, line.n do
    line[i] = tostring(line[i])
  end
  write(concat(line, "\t", 1, line.n) .. "\n")
end

-- Gives the output that waits.
local function drain()
  local text = concat(pieces)
  pieces, output.size = {}, 0
  return text
end

return { cut = cut, drain = drain, print = print }
