-- Late part of the prelude: `xpcall`, whose handler neither sees nor makes the end of the run.

local function script_xpcall(...)
  local f, handler = ...
  if type(handler) ~= "function" then
    misfit("function", 2, "xpcall", ...)
  end
  local function handle(e)
    if over() then
      return STOP
    end
    return (unforged(handler(e)))
  end
  if callable(f) then
    return protected(handle, f, select(3, ...))
  end
  return caught(xpcall(f, handle)) -- Lua says what it is instead.
end

return { xpcall = script_xpcall }
