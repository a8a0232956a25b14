"""Time series from a script to the command line and the client, through a whole Loki."""

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import xarray
import zarr

from loki.client import AsyncLokiClient, LokiClient, LokiClientError, SeriesQuery
from loki.testing import LokiServer

Run = Callable[..., subprocess.CompletedProcess[str]]

ROWS = 100_000
PATIENCE_S = 60.0
TOOLS = """
[[tools]]
name = "log"
return_type = "integer"
permissions = { series = true }
limits = { max_execution_time_ms = 60000 }
script = { path = "log.lua" }

[[tools]]
name = "brief"
return_type = "boolean"
permissions = { series = true }
script = { path = "brief.lua" }

[[tools]]
name = "bounds"
return_type = "array"
permissions = { series = true }
script = { path = "bounds.lua" }

[[tools]]
name = "grow"
return_type = "integer"
parameters = [{ name = "first", type = "integer" }]
permissions = { series = true }
limits = { max_execution_time_ms = 60000 }
script = { path = "grow.lua" }
"""
SCRIPT = """
local ROWS, START, AT_ONCE = 100000, 1700000000, 10000
for first = 0, ROWS - 1, AT_ONCE do
  local values, times = {}, {}
  for i = 1, AT_ONCE do values[i], times[i] = first + i - 1, START + first + i - 1 end
  hel:series_append_all("numbers", values, times)
end
hel:series_describe("numbers", { unit = "m", place = "roof" })
return hel:series_info("numbers").rows
"""

GROW = """
local values, times = {}, {}
for i = 1, 5000 do
  values[i], times[i] = params.first + i, 1700000000 + params.first + i
end
hel:series_append_all("growing", values, times)
return params.first + 5000
"""
BRIEF = """
for _, name in ipairs({ "a", "b", "c" }) do hel:series_append(name, 1) end
return hel:series_remove("a") and not hel:series_remove("a")
"""
BOUNDS = """
hel:series_append_all("t", { 1, 2, 4, 8 }, { 10, 20, 30, 40 })
local function sum(from, to) return hel:series_aggregate("t", from, to, "sum")[1].value end
local found = {
  #hel:series_read("t"), #hel:series_read("t", nil, 30), #hel:series_read("t", 30, nil),
  #hel:series_read("t", -1e10, 1e10), sum(), sum(nil, 30), sum(30), sum(-1e300, 1e300),
}
for _, call in ipairs({ "series_read", "series_trim" }) do
  found[#found + 1] = tostring(select(2, pcall(hel[call], hel, "t", math.huge)).code)
end
found[#found + 1] = tostring(select(2, pcall(hel.series_trim, hel, "t", nil)).code)
for _, before in ipairs({ 30, 1e10, 1e10 }) do found[#found + 1] = hel:series_trim("t", before) end
found[#found + 1] = #hel:series_read("t")
hel:series_remove("t")
return found
"""
CONFIG = """
[children_config.hel]
series_keep_rows = 150_000
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    folder = tmp_path_factory.mktemp("tools")
    (folder / "tools.toml").write_text(TOOLS)
    (folder / "log.lua").write_text(SCRIPT)
    (folder / "grow.lua").write_text(GROW)
    (folder / "brief.lua").write_text(BRIEF)
    (folder / "bounds.lua").write_text(BOUNDS)
    with (
        LokiServer(config=CONFIG, tools=folder / "tools.toml") as server,
        server.client() as client,
    ):
        assert client.execute("log").value == ROWS
        yield server


def client(server: LokiServer) -> LokiClient:
    return server.client()


def test_the_command_line_shows_draws_and_exports(loki: Run, tmp_path: Path) -> None:
    (listed,) = json.loads(loki("series", "list", "--json").stdout)
    assert (listed["script"], listed["name"], listed["rows"]) == ("log", "numbers", ROWS)
    assert listed["attributes"] == {"unit": "m", "place": "roof"}
    shown = loki("series", "show", "numbers", "--last", "2", "--json").stdout.splitlines()
    assert [json.loads(line)["value"] for line in shown] == [ROWS - 2, ROWS - 1]
    assert "log/numbers in m" in loki("series", "plot", "numbers").stdout
    lines = loki("series", "export", "log/numbers").stdout.splitlines()
    assert len(lines) == ROWS + 1
    assert lines[-1] == "2023-11-16T01:59:59.000000Z,99999.0,0"
    done = loki("series", "export", "numbers", "-o", "numbers.parquet")
    assert done.stdout == "numbers.parquet: 100,000 rows\n"
    values = pyarrow.parquet.read_table(tmp_path / "numbers.parquet")["value"]
    assert values.to_pylist() == list(range(ROWS))


def test_a_script_bounds_times_and_lets_all_rows_go(server: LokiServer) -> None:
    refused = ["ARGUMENT_INVALID"] * 3
    with client(server) as connected:
        found = connected.execute("bounds").value
    assert found == [4, 2, 2, 4, 15, 3, 12, 15, *refused, 2, 2, 0, 0]


def test_rows_come_once_each_though_hel_is_killed_meanwhile(server: LokiServer) -> None:
    with client(server) as connected:
        with connected.series.read("log", "numbers", patience_s=60) as batches:
            values = list(next(batches).values)
            hel = next(c for c in connected.get_children_status() if c.name == "hel")
            os.kill(hel.pid, signal.SIGKILL)
            values += [value for batch in batches for value in batch.values]
        assert values == list(range(ROWS))
        one = SeriesQuery(limit=1)  # For those that come next, Hel is back.
        assert len(list(connected.series.read("log", "numbers", one, patience_s=60))) == 1


def test_a_client_reads_all_in_batches_and_the_last_ones(server: LokiServer) -> None:
    with client(server) as connected:
        with connected.series.read("log", "numbers") as batches:
            values = [list(batch.values) for batch in batches]
        assert [value for batch in values for value in batch] == list(range(ROWS))
        assert len(values) > 3
        query = SeriesQuery(limit=50_000, newest=True)
        with connected.series.read("log", "numbers", query) as batches:
            values = [list(batch.values) for batch in batches]
        assert [value for batch in values for value in batch] == list(range(ROWS - 50_000, ROWS))


def test_a_program_in_asyncio_reads_the_same(server: LokiServer) -> None:
    async def main() -> None:
        async with AsyncLokiClient(server.address) as connected:
            series = connected.series
            assert [each.rows async for each in series.find("log")] == [ROWS]
            async with series.read("log", "numbers") as batches:
                values = [value async for batch in batches for value in batch.values]
            assert values == list(range(ROWS))
            query = SeriesQuery(limit=10, newest=True)
            (last,) = [batch async for batch in series.read("log", "numbers", query)]
            assert list(last.values) == list(range(ROWS - 10, ROWS))
            (median,) = await series.aggregate("log", "numbers", "p50")
            assert (median.value, median.count) == ((ROWS - 1) / 2, ROWS)
            with pytest.raises(LokiClientError, match="nothing"):
                _ = [batch async for batch in series.read("log", "nothing")]

    asyncio.run(main())


def test_windows_are_as_a_script_would_see_them(server: LokiServer) -> None:
    with client(server) as connected:
        (everything,) = connected.series.aggregate("log", "numbers", "p50")
        assert (everything.value, everything.count) == ((ROWS - 1) / 2, ROWS)
        hours = connected.series.aggregate("log", "numbers", "count", every_s=3600)
        assert sum(hour.count for hour in hours) == ROWS
        assert {hour.count for hour in hours[1:-1]} == {3600}


def test_reading_ends_with_whoever_reads(server: LokiServer) -> None:
    """One that leaves in the middle leaves nothing that another would wait for."""
    with client(server) as connected:
        for _ in range(20):
            with connected.series.read("log", "numbers") as batches:
                assert len(next(batches)) > 0
        assert connected.series.aggregate("log", "numbers", "count")[0].count == ROWS


def dropped(group: Path) -> int:
    return int(str(zarr.open_group(group, mode="r").attrs["loki_dropped_chunks"]))


def read_from_outside(group: Path) -> list[float] | None:
    """As the how-to tells; None where the oldest files went meanwhile."""
    before = dropped(group)
    try:
        with xarray.open_zarr(group, decode_times=False) as dataset:
            times, values = dataset.time.values, dataset.value.values
    except FileNotFoundError:
        return None
    if dropped(group) != before:
        return None
    assert (times == (1_700_000_000 + values) * 1e9).all()
    found: list[float] = values.tolist()
    return found


def grow(server: LokiServer, steps: threading.Semaphore, enough: threading.Event) -> None:
    first: object = 0
    with client(server) as connected:
        while steps.acquire() and not enough.is_set():
            assert isinstance(first, int)
            first = connected.execute("grow", {"first": first}).value


def test_zarr_and_xarray_open_it_while_rows_come_and_go(server: LokiServer) -> None:
    """At any moment they see whole chunks, sorted and without a hole."""
    group = server.state_dir / "series" / "grow" / "growing"
    seen: set[tuple[float, int]] = set()
    steps, enough = threading.Semaphore(0), threading.Event()
    end_s = time.monotonic() + PATIENCE_S
    with ThreadPoolExecutor(1) as pool:
        growing = pool.submit(grow, server, steps, enough)
        try:
            while len(seen) <= 5 or max(first for first, _ in seen) <= 1:
                assert not growing.done(), growing.result()
                assert time.monotonic() < end_s, seen
                steps.release(3)  # Some rows come while we read, and not so many that all go.
                values: list[float] | None = None if (group / "zarr.json").exists() else []
                while values is None:
                    values = read_from_outside(group)
                assert (np.diff(values) == 1).all()
                assert len(values) % 8192 == 0
                seen |= {(values[0], len(values))} if values else set()
        finally:
            enough.set()
            steps.release()
        growing.result(PATIENCE_S)


def test_scripts_people_and_programs_remove_series(server: LokiServer, loki: Run) -> None:
    with client(server) as connected:
        assert connected.execute("brief").value is True
        assert [each.name for each in connected.series.find("brief")] == ["b", "c"]
        done = loki("series", "remove", "b", "--script", "brief", "--yes")
        assert done.stdout == "removed brief/b: 1 rows\n"

        async def main() -> None:
            async with AsyncLokiClient(server.address) as there:
                assert await there.series.remove("brief", "c") == 1

        asyncio.run(main())
        assert list(connected.series.find("brief")) == []
        with pytest.raises(LokiClientError, match="no series 'c'") as gone:
            connected.series.remove("brief", "c")
        assert gone.value.reason == "NOT_FOUND"
