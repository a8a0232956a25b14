"""Scripts that ask the host for all they can get: each ends, and takes nobody with it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

LIMITS = "limits = { max_execution_time_ms = 400, max_memory_mb = 8, max_output_kb = 16 }"
ALLOWED = (
    'permissions = { gpio = ["*"], sensors = ["*"], files = "rw", storage = true, tools = ["*"] }'
)
BIG = "local big = ('x'):rep(1 << 20)"
FLOODS = {
    "emit": "while true do loki.emit({1, 2, 3}) end",
    "emit big": f"{BIG} while true do loki.emit(big) end",
    "emit bad": "while true do pcall(loki.emit, print) end",
    "progress": "while true do loki.progress(0.5, 'half') end",
    "progress big": f"{BIG} while true do loki.progress(0.5, big) end",
    "log": "while true do loki.log('info', 'flood') end",
    "log big": f"{BIG} while true do loki.log('error', big) end",
    "log bad": "while true do pcall(loki.log, 'loud', 'x') end",
    "sleep": "while true do loki.sleep(0) end",
    "sleep bad": "while true do pcall(loki.sleep, -1) end",
    "now": "while true do loki.now() end",
    "budget": "while true do loki.budget() end",
    "call": "while true do pcall(loki.call, 'one', {}) end",
    "call itself": "return loki.call('flood_call_itself', {})",
    "call in parallel": "local f = function() loki.call('one', {}) end "
    "while true do pcall(loki.all, {f, f, f, f, f, f, f, f}) end",
    "all of nothing": "while true do loki.all({function() end}) end",
    "all of much": "local t = {} for i = 1, 1e6 do t[i] = function() loki.sleep(9) end end "
    "loki.all(t)",
    "all within all": "local function f() loki.all({f, f}) end f()",
    "call nobody": "while true do pcall(loki.call, ('x'):rep(1000), {}) end",
    "print": "while true do pcall(print, ('x'):rep(500)) end",
    "array": "while true do loki.array() end",
    "bytes": f"{BIG} while true do loki.bytes(big) end",
    "unknown names": "local i = 0 while true do i = i + 1 "
    "pcall(function() return hel['f' .. i] end) end",
    "gpio_read": "while true do fenrir:gpio_read(4) end",
    "gpio_write": "local on while true do on = not on fenrir:gpio_write(4, on) end",
    "sensor_read": "while true do pcall(fenrir.sensor_read, fenrir, ('x'):rep(5000)) end",
    "actuator_set": "while true do pcall(fenrir.actuator_set, fenrir, 'a', {{{}}}) end",
    "storage_set": f"{BIG} local i = 0 while true do i = i + 1 "
    "pcall(hel.storage_set, hel, 'k' .. i, big) end",
    "storage_keys": "while true do hel:storage_keys('') end",
    "cache_set": f"{BIG} local i = 0 while true do i = i + 1 "
    "pcall(hel.cache_set, hel, 'k' .. i, big) end",
    "fs_write": f"{BIG} local i = 0 while true do i = i + 1 "
    "pcall(hel.fs_write, hel, 'f' .. i % 9, big) end",
    "fs_list_dir": "while true do pcall(hel.fs_list_dir, hel, '') end",
    "http_get": "while true do pcall(jormungandr.http_get, jormungandr, 'http://127.0.0.1:1/') end",
    "huge arguments": "local t = {} for i = 1, 1e5 do t[i] = i end "
    "while true do pcall(hel.storage_set, hel, 'k', t) end",
    "deep arguments": "local t = {} for i = 1, 2000 do t = {t} end "
    "while true do pcall(hel.storage_set, hel, 'k', t) end",
    "wide result": f"{BIG} local t = {{}} for i = 1, 1e4 do t[i] = big end return t",
    "coroutines that wait": "while true do coroutine.wrap(function() loki.sleep(0) end)() end",
    "errors in details": "while true do local _, e = pcall(hel.fs_read, hel, ('x'):rep(1e5)) "
    "pcall(error, e) end",
}
ENDS = {"TIME_BUDGET", "MEMORY_BUDGET", "OUTPUT_BUDGET", "CPU_BUDGET", "SCRIPT_ERROR"}
LOG_BYTES = 2_000_000
HELD_KIB = 200_000  # By any process.
PATIENCE_S = 20.0
TRIES = 5


def tool_of(flood: str) -> str:
    return "flood_" + flood.replace(" ", "_")


TOOLS = (
    '[[tools]]\nname = "one"\nreturn_type = "integer"\nscript = { inline = "return 1" }\n'
    + "".join(
        f'[[tools]]\nname = "{tool_of(name)}"\nreturn_type = "array"\n'
        f'script = {{ inline = "{source}" }}\n{LIMITS}\n{ALLOWED}\n'
        for name, source in FLOODS.items()
    )
)


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def parts(client: LokiClient) -> dict[str, int]:
    """Name -> pid of every part of Loki that is to outlive any script."""
    return {
        part.name: part.pid for part in client.get_children_status() if part.supervisor == "loki"
    }


def held_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


@pytest.mark.parametrize("flood", FLOODS)
def test_s_5_3_1_a_flood_ends_and_others_are_served_meanwhile(
    server: LokiServer, client: LokiClient, flood: str
) -> None:
    before, reasons = parts(client), []

    def drown() -> None:
        try:
            with client.stream(tool_of(flood), timeout_s=30) as events:
                for _ in events:
                    pass
        except LokiClientError as error:
            reasons.append(error.reason)

    served = 0
    while not served:  # A flood may end before this thread gets on.
        assert len(reasons) < TRIES
        drowning = threading.Thread(target=drown)
        drowning.start()
        while drowning.is_alive():
            assert client.execute("one", timeout_s=PATIENCE_S).value == 1
            served += 1
        drowning.join()
        assert reasons, "it did not end by itself"
        assert set(reasons) <= ENDS
    assert parts(client) == before
    assert {name: kib for name, pid in before.items() if (kib := held_kib(pid)) > HELD_KIB} == {}
    assert len(server.log) < LOG_BYTES
