-- Late part of the prelude: loki.all, functions of a script that wait for the host side by side.
--
-- Each runs in a coroutine. What it asks the host for goes there under a ticket, as "started", and
-- the host resumes the script at once, so that the next function runs. When all of them wait, the
-- script "waits" too: the host resumes it with the first answer and that answer's ticket. Where
-- the host answers at once, it gives the ticket straight back; 0 is no ticket.

local tickets = 0

local function loki_all(...)
  local functions = ...
  local count = type(functions) == "table" and rawlen(functions) or 0
  if type(functions) ~= "table" or select("#", ...) > 1 then
    late.failure.raise("ARGUMENT_INVALID", "loki.all{...}: takes one table, an array of functions")
  end
  for i = 1, count do
    local kind = type(rawget(functions, i))
    if kind ~= "function" then
      late.failure.raise("ARGUMENT_INVALID", format("loki.all{...}: item %d must be a function, got %s", i, kind))
    end
  end
  if not isyieldable() then
    late.failure.refuse("loki.all")
  end

  local results, failed, left = {}, {}, count
  local owners = {} -- Ticket -> the coroutine that waits for its answer.
  local outer, inner = modules.innermost, {} -- Which module is running, here and in each function.
  local run

  local function on(i, co, ok, tag, ...)
    inner[i] = modules.innermost
    if ok and rawequal(tag, TAG) then
      local kind, ticket = ...
      if kind == "waits" then
        return
      elseif kind == "started" then -- From a loki.all within.
        owners[ticket] = { i, co }
        return run(i, co, yield(TAG, ...))
      end
      tickets = tickets + 1
      local own = tickets
      owners[own] = { i, co }
      local back = yield(TAG, "started", own, ...)
      if back ~= 0 then -- Answered or refused.
        owners[own] = nil
        return run(i, co, back)
      end
      return
    end
    caught(ok, tag)
    waiting[co] = nil
    left = left - 1
    failed[i] = not ok
    results[i] = tag
    if ok and tag == nil then
      results[i] = late.codec.null
    end
  end

  function run(i, co, ...)
    modules.innermost = inner[i]
    return on(i, co, resume(co, ...))
  end

  for i = 1, count do
    local co = create(rawget(functions, i))
    waiting[co], inner[i] = true, outer
    run(i, co)
  end
  while left > 0 do
    local ticket = yield(TAG, "waits")
    local owner = owners[ticket]
    owners[ticket] = nil
    run(owner[1], owner[2], ticket)
  end
  modules.innermost = outer
  for i = 1, count do
    if failed[i] then
      error(results[i], 0)
    end
  end
  late.codec.arrays[results] = true
  return results
end

return loki_all
