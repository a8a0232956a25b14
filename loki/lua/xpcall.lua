-- Late part of the prelude: `xpcall`, whose handler neither sees nor makes the end of the run.

local function script_xpcall(...)
  local f, handler = ...
  if type(handler) ~= "function" then
    misfit("function", 2, "xpcall", ...)
  end
  return protected(function(e)
    if over() then
      return STOP
    end
    return (unforged(handler(e)))
  end, f, select(3, ...))
end

return { xpcall = script_xpcall }
