-- Late part of the prelude: ends a run whose script waits in a `__close` handler for want of memory.

-- What `xpcall` calls in this coroutine is a protected function, or such a handler. Those of other
-- errors are watched by a hook.
return function()
  local level, called = 2, nil
  local info = not gethook() and getinfo(level, "f")
  while info do
    if info.func == xpcall and called ~= framed then
      stop("memory")
    end
    level, called = level + 1, info.func
    info = getinfo(level, "f")
  end
end
