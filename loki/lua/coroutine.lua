-- Late part of the prelude: coroutines, through which requests to the host and its end pass.

local NOT_SUSPENDED = "cannot resume non-suspended coroutine"

local function woken(co, ...)
  waiting[co] = nil
  return resume(co, ...)
end

-- The results of a resume, once it yields or ends for the script. Requests to the host pass.
local function passed(co, ok, ...)
  if ok and rawequal((...), TAG) then
    if not isyieldable() then
      late.failure.block()
      return passed(co, resume(co, REFUSED))
    end
    waiting[co] = true
    return passed(co, woken(co, yield(...)))
  end
  return caught(ok, ...)
end

local function resumed(co, ...)
  halt()
  if waiting[co] then
    return false, NOT_SUSPENDED
  end
  return passed(co, resume(co, ...))
end

local function unwatched(co, ...)
  sethook(co)
  return caught(...)
end

local function closed(co)
  sethook(co, watch, "c")
  return unwatched(co, close(co))
end

local function unwrapped(co, ok, ...)
  if ok then
    return ...
  end
  local message = (...)
  if status(co) == "dead" then
    local closing, other = closed(co)
    message = not closing and other or message
  end
  error(message, type(message) == "string" and 2 or 0)
end

local function status_of(...)
  local co = ...
  if type(co) ~= "thread" then
    misfit("thread", 1, "status", ...)
  end
  local state = status(co)
  return state == "suspended" and waiting[co] and "normal" or state
end

local coroutine = { status = status_of }

function coroutine.running()
  local co = running()
  return co, co == root
end

function coroutine.isyieldable(...)
  if select("#", ...) > 0 then
    return isyieldable(...)
  end
  local co = running()
  return co ~= root and not waiting[co] and isyieldable()
end

function coroutine.resume(co, ...)
  if type(co) ~= "thread" then
    misfit("thread", 1, "resume", co)
  end
  return resumed(co, ...)
end

function coroutine.wrap(...)
  local f = ...
  if type(f) ~= "function" then
    misfit("function", 1, "wrap", ...)
  end
  local co = create(f)
  return function(...)
    if waiting[co] then
      error(NOT_SUSPENDED, 2)
    end
    return unwrapped(co, resumed(co, ...))
  end
end

function coroutine.close(...)
  local co = ...
  if type(co) ~= "thread" then
    misfit("thread", 1, "close", ...)
  end
  local state = status_of(co)
  if state ~= "suspended" and state ~= "dead" then
    error(format("cannot close a %s coroutine", state), 2)
  end
  return closed(co)
end

return coroutine
