-- Late part of the prelude: ends a run whose script waits in a `__close` handler for want of memory.

-- What `xpcall` calls in this coroutine is a protected function, or such a handler. Each level is
-- known by its first value, which makes no garbage: to look is to walk, and most levels are far.
local function masked()
  local level, called = 2, nil
  while true do
    local _, first = getlocal(level, 1) -- Raises an error past the last.
    if rawequal(first, framed) and metatable_of(called) ~= note_meta then
      return true
    end
    level, called = level + 1, first
  end
end

-- Those of other errors are watched by a hook.
return function()
  if not gethook() then
    local ok, message = pcall(masked)
    if ok then
      stop("memory")
    end
    caught(ok, message)
  end
end
