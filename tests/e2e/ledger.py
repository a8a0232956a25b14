"""What stores must hold after so many operations, each known by its number alone.

Operation n does the same whenever it is done, so that the whole content of a store follows from how
many were done. One of them is under way when a kill comes, and some may be done of which the news
was lost: a store may be further than was acknowledged, never less far, and never in between.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

State = dict[str, Any]

AHEAD = 2000  # Operations whose news a kill can swallow.

SCRIPT = """
local START = 1700000000
local stores = {}

function stores.values(n)
  if n % 4 == 0 then
    hel:storage_set('s' .. n % 8, { n = n, text = ('x'):rep(n * 37 % 900) })
  elseif n % 4 == 1 then
    hel:storage_increment('count', 1)
  elseif n % 4 == 2 then
    assert(hel:storage_cas('swap', hel:storage_get('swap'), n))
  else
    hel:storage_remove('s' .. (n + 1) % 8)
  end
end

function stores.files(n)
  if n % 4 == 0 then
    hel:fs_write('f' .. n % 8, (n .. ';'):rep(300 + n % 300))
  elseif n % 4 == 1 then
    hel:fs_append('log', ('%08d;'):format(n))
  elseif n % 4 == 2 then
    hel:fs_write('d', tostring(n))
  else
    hel:fs_delete(n % 64 == 63 and 'log' or 'd')
  end
end

function stores.series(n)
  local values, times = {}, {}
  for i = 1, 5 do
    values[i] = (n - 1) * 5 + i - 1
    times[i] = START + values[i]
  end
  if n == 1 then
    hel:series_downsample('numbers', 'fives', 5, 'sum')
  end
  return hel:series_append_all('numbers', values, times, { sequence = n })
end

function stores.brief(n)
  if n % 40 == 39 then
    assert(hel:series_remove('brief'), 'it was not there')
  else
    hel:series_append('brief', n, START + n)
  end
end

local function check_fives(last)
  local fives = hel:series_read('fives')
  for i, row in ipairs(fives) do
    if i > 1 and row.time ~= fives[i - 1].time + 5 then
      error(('window %d of %d is at %d and the one before at %d; the last row is at %d'):format(
        i, #fives, row.time - START, fives[i - 1].time - START, last.time - START), 0)
    end
    assert(row.value == 5 * (row.time - START) + 10, 'a window is wrong')
  end
  return #fives > 0 and fives[#fives].time >= last.time - 9
end

local found = {}

function found.values()
  local all = {}
  for _, key in ipairs(hel:storage_keys()) do all[key] = hel:storage_get(key) end
  return all
end

function found.files()
  local all = {}
  for _, name in ipairs(hel:fs_list_dir('.')) do all[name] = hel:fs_read(name) end
  return all
end

function found.series()
  local rows = hel:series_read('numbers')
  for i = 2, #rows do assert(rows[i].value == rows[i - 1].value + 1, 'a row is missing') end
  for _, row in ipairs(rows) do assert(row.time == START + row.value, 'a row is wrong') end
  local gone = #rows - hel:series_aggregate('numbers', nil, nil, 'count')[1].value
  -- Whole files may be forgotten meanwhile, but for the newest rows.
  assert(gone == 0 or gone > 0 and gone % 16 == 0 and #rows - gone > 900, 'rows were miscounted')
  local complete = check_fives(rows[#rows])
  local following = math.tointeger(rows[#rows].value) + 1
  assert(following % 5 == 0, 'half of a call was appended')
  assert(stores.series(following // 5) == 0, 'a repeated call appended its rows again')
  assert(rows[1].value == 0 or following - rows[1].value > 900, 'more was forgotten than should be')
  return { calls = following // 5, complete = params.last == 0 and complete or nil }
end

function found.brief()
  local rows = {}
  for _, name in ipairs(hel:series_names()) do
    if name == 'brief' then rows = hel:series_read(name) end
  end
  for i, row in ipairs(rows) do rows[i] = math.tointeger(row.value) end
  return { rows = #rows > 0 and rows or nil }
end

if params.first == 0 then return found[params.store]() end
for n = params.first, params.last do
  stores[params.store](n)
  loki.emit(n)
end
return {}
"""


def values(state: State, n: int) -> None:
    match n % 4:
        case 0:
            state[f"s{n % 8}"] = {"n": n, "text": "x" * (n * 37 % 900)}
        case 1:
            state["count"] = state.get("count", 0) + 1
        case 2:
            state["swap"] = n
        case _:
            state.pop(f"s{(n + 1) % 8}", None)


def files(state: State, n: int) -> None:
    match n % 4:
        case 0:
            state[f"f{n % 8}"] = f"{n};" * (300 + n % 300)
        case 1:
            state["log"] = state.get("log", "") + f"{n:08d};"
        case 2:
            state["d"] = str(n)
        case _:
            del state["log" if n % 64 == 63 else "d"]


def series(state: State, n: int) -> None:
    state["calls"] = n


def brief(state: State, n: int) -> None:
    """A series that is removed again and again."""
    if n % 40 == 39:
        del state["rows"]
    else:
        state.setdefault("rows", []).append(n)


def scripts(state: State, n: int) -> None:
    """Registered by a client, not by a script."""
    if n % 8 == 7:
        del state[f"r{n % 4}"]
    else:
        state[f"r{n % 4}"] = n


class Ledger:
    """One store's: what was done for certain, and what was acknowledged since."""

    def __init__(self, apply: Callable[[State, int], None]) -> None:
        self.name = apply.__name__
        self.done = 0  # As the last check found it.
        self.told = 0  # The last operation that was acknowledged.
        self._apply = apply
        self._state: State = {}

    def check(self, found: State) -> None:
        """Fails where the store holds what it cannot hold; else it goes on from there."""
        state = deepcopy(self._state)
        for n in range(self.done, self.told + AHEAD):
            if n > self.done:
                self._apply(state, n)
            if n >= self.told and state == found:
                self.done = self.told = n
                self._state = state
                return
        raise AssertionError(
            f"{self.name}: {self.told} operations were acknowledged, since {self.done} were found; "
            f"now there is {found}"
        )
