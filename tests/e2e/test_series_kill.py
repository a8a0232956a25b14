"""Loki is killed again and again while a script appends: no row that it was told of is lost."""

import os
import random
import select
import signal
from pathlib import Path

import numpy as np
import pytest
import xarray

from loki.client import ExecutionStream, LokiClientError, Value
from loki.testing import LokiServer

ROUNDS = int(os.environ.get("LOKI_KILL_ROUNDS", "15"))
SEED = int(os.environ.get("LOKI_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
BATCH_ROWS = 5
PATIENCE_S = 5.0
CONFIG = """
[children_config.hel]
series_chunk_rows = 16
series_late_s = 1
series_keep_rows = 1000
"""
TOOLS = """
[[tools]]
name = "count"
return_type = "object"
parameters = [{ name = "task", type = "string" }, { name = "first", type = "integer" }]
permissions = { series = true }
limits = { max_execution_time_ms = 60000 }
script = { path = "count.lua" }
"""
SCRIPT = """
local START = 1700000000

local function append(first)
  local values, times = {}, {}
  for i = 1, 5 do values[i], times[i] = first + i - 1, START + first + i - 1 end
  return hel:series_append_all("numbers", values, times, { sequence = first })
end

if params.task == "append" then
  for first = params.first, math.maxinteger, 5 do
    append(first)
    loki.emit(first + 5)
  end
end

local rows = hel:series_read("numbers")
for i = 2, #rows do assert(rows[i].value == rows[i - 1].value + 1, "a row is missing") end
for _, row in ipairs(rows) do assert(row.time == START + row.value, "a row is wrong") end
assert(hel:series_aggregate("numbers", nil, nil, "count")[1].value == #rows)
local following = math.tointeger(rows[#rows].value) + 1
assert(append(following - 5) == 0, "a repeated call appended its rows again")
return { first = math.tointeger(rows[1].value), following = following }
"""


def kill_all(server: LokiServer) -> None:
    """All its processes at once, as a power cut would."""
    pidfds = [os.pidfd_open(pid) for pid in server.pids()]
    for pidfd in pidfds:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)


def appended_until_killed(server: LokiServer, first: int, values: int) -> int:
    """Kill Loki after so many values of the script; the number after the last row it told of."""
    told = [first]

    def follow(events: ExecutionStream) -> None:
        for event in events:
            assert isinstance(event, Value)
            assert isinstance(event.value, int)
            told.append(event.value)
            if len(told) == values:
                kill_all(server)

    with (
        server.client() as client,
        client.stream("count", {"task": "append", "first": first}) as events,
        pytest.raises(LokiClientError),
    ):
        follow(events)
    return told[-1]


def files_are_whole(group: Path) -> None:
    with xarray.open_zarr(group, decode_times=False) as dataset:
        numbers = dataset.value.values
        assert len(numbers) % 16 == 0
        assert not np.isnan(numbers).any()
        assert (np.diff(numbers) == 1).all()
        assert (dataset.time.values == (1_700_000_000 + numbers).astype(np.int64) * 10**9).all()


def checked(server: LokiServer, told: int) -> int:
    """The number after the last row that there is; `told` is that after the last one told of."""
    with server.client() as client:
        found = client.execute("count", {"task": "check", "first": 0}).value
    assert isinstance(found, dict), found
    kept, following = found["first"], found["following"]
    assert isinstance(kept, int)
    assert isinstance(following, int)
    assert following >= told
    assert following % BATCH_ROWS == 0, "half of a call was appended"
    assert kept == 0 or following - kept > 900, "more was forgotten than should be"
    return following


@pytest.mark.timeout(60 + 20 * ROUNDS)
def test_s_8_5_3_no_acknowledged_row_is_lost_by_kills(tmp_path: Path) -> None:
    print(f"LOKI_KILL_SEED={SEED}")
    (tmp_path / "tools.toml").write_text(TOOLS)
    (tmp_path / "count.lua").write_text(SCRIPT)
    chance, state, told = random.Random(SEED), tmp_path / "state", 0
    group = state / "series" / "count" / "numbers"
    for _ in range(ROUNDS):
        server = LokiServer(config=CONFIG, tools=tmp_path / "tools.toml", state_dir=state)
        server.start()
        try:
            first = checked(server, told) if told else 0
            told = appended_until_killed(server, first, chance.randrange(2, 80))
        finally:
            server.stop()
        if (group / "zarr.json").exists():  # Else it was killed while it made the first.
            files_are_whole(group)
    with LokiServer(config=CONFIG, tools=tmp_path / "tools.toml", state_dir=state) as server:
        assert checked(server, told) >= told
    assert (group / "zarr.json").exists(), "no kill was late enough to meet a file"
