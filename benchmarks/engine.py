"""CPU-bound Lua in a session, budgets armed, beside Debian's Lua and a bare lupa state.

Runs in a process of its own, like a runner: what other scenarios left in this one does not count.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
from lupa import lua54

from benchmarks.result import Figure
from loki.actors.runner.watchdog import Watchdog
from loki.core.run.engine import Call, Failed, Finished, Flush
from loki.lua.engine import LuaEngine
from loki.messages.lua_module import LuaFunction, LuaModule, LuaParameter, LuaType
from loki.messages.script import Limits, Script
from loki.messages.value import ScriptValue

ROUNDS = 7
CALLS = 20_000
RUNS = 1000
BUDGET_S = 30.0
DEBIAN = "lua5.4"

FIB = "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end fib(30)"
NBODY = """
local sqrt, bodies = math.sqrt, {}
for i = 1, 5 do
  bodies[i] = {x = i * 1.1, y = i * 0.7, z = i * 0.3, vx = 0.1 / i, vy = 0.2, vz = 0.0, m = 1 / i}
end
for _ = 1, 30000 do
  for i = 1, 5 do
    local a = bodies[i]
    for j = i + 1, 5 do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local square = dx * dx + dy * dy + dz * dz + 0.01
      local pull = 0.001 / (square * sqrt(square))
      a.vx, a.vy, a.vz = a.vx - dx * b.m * pull, a.vy - dy * b.m * pull, a.vz - dz * b.m * pull
      b.vx, b.vy, b.vz = b.vx + dx * a.m * pull, b.vy + dy * a.m * pull, b.vz + dz * a.m * pull
    end
  end
  for i = 1, 5 do
    local a = bodies[i]
    a.x, a.y, a.z = a.x + 0.001 * a.vx, a.y + 0.001 * a.vy, a.z + 0.001 * a.vz
  end
end
"""
SPECTRAL = """
local n = 250
local function entry(i, j) return 1 / ((i + j) * (i + j + 1) / 2 + i + 1) end
local function times(v, transposed)
  local out = {}
  for i = 0, n - 1 do
    local sum = 0
    for j = 0, n - 1 do
      sum = sum + (transposed and entry(j, i) or entry(i, j)) * v[j + 1]
    end
    out[i + 1] = sum
  end
  return out
end
local u, v = {}, nil
for i = 1, n do u[i] = 1 end
for _ = 1, 5 do
  v = times(times(u, false), true)
  u = times(times(v, false), true)
end
"""
STRINGS = """
local words, count = {}, {}
for i = 1, 60000 do words[i] = ("word%d"):format(i * 7919 % 997) end
local text = table.concat(words, " ")
for word in text:gmatch("%a+%d*") do count[word] = (count[word] or 0) + 1 end
local upper = text:gsub("w(%a+)", "%1W"):upper():reverse()
local parts = {}
for i = 1, #upper, 16 do parts[#parts + 1] = upper:sub(i, i + 15):rep(2) end
local s = ""
for i = 1, 3000 do s = s .. i % 10 end
"""
PROGRAMS = {"fib": FIB, "n-body": NBODY, "spectral norm": SPECTRAL, "strings": STRINGS}

TIMED = "local f, c = ..., os.clock; collectgarbage(); local t = c(); f(); return c() - t"
"""Each side measures itself, with the same clock: no start of a process or a state counts."""

VALUE = LuaParameter(name="value", type=LuaType.ANY, required=False, doc="Any")
BOARD = LuaModule(
    name="board",
    child="board",
    doc="",
    functions=(LuaFunction(name="give", request="Give", parameters=(VALUE,), doc=""),),
)


class Bench:
    """An engine, with the watchdog that a runner has."""

    def __init__(self) -> None:
        self._engine = LuaEngine((BOARD,))
        self._watchdog = Watchdog(lambda: os._exit(75))

    def play(self, source: str, answer: ScriptValue = None) -> tuple[ScriptValue, float]:
        """The result, and the seconds from the start to the end, as a runner steps."""
        limits = Limits(max_memory_mb=256)
        script = Script(name="bench", source=source, chunk="bench", limits=limits)
        session, bytecode = self._engine.prepare(), self._engine.compile(script)
        begin = time.perf_counter()
        step = self._guarded(lambda: session.start(script, {}, bytecode))
        while not isinstance(step, Finished):
            assert isinstance(step, Call | Flush), step
            step = self._guarded(lambda: session.resume(answer))
        took_s = time.perf_counter() - begin
        session.close()
        return step.value, took_s

    def _guarded(self, go: Callable[[], object]) -> object:
        end = time.monotonic() + BUDGET_S
        self._watchdog.arm(end, end)
        step = go()
        self._watchdog.disarm()
        assert not isinstance(step, Failed), step
        return step

    def runs(self) -> float:
        """Runs of a trivial known script in one runner, a fresh state each, in a second."""
        script = Script(name="one", source="return 1", chunk="one")
        bytecode = self._engine.compile(script)
        begin = time.perf_counter()
        for _ in range(RUNS):
            session = self._engine.prepare()
            self._guarded(partial(session.start, script, {}, bytecode))
            session.close()
        return RUNS / (time.perf_counter() - begin)


def timed(source: str) -> str:
    return f"return (function(...) {TIMED} end)(function() {source}\nend)"


def bare(source: str) -> float:
    seconds: float = lua54.LuaRuntime().execute(timed(source))
    return seconds


def debian(source: str, folder: Path) -> float:
    file = folder / "program.lua"
    file.write_text(f"print((function() {timed(source)} end)())")
    done = subprocess.run([DEBIAN, file], capture_output=True, text=True, check=True)
    return float(done.stdout)


def ours(bench: Bench, source: str) -> float:
    value, _ = bench.play(timed(source))
    assert isinstance(value, float)
    return value


def speed(bench: Bench, name: str, source: str, folder: Path) -> Figure:
    """Sides take turns, so that a machine that slows down slows all of them."""
    plain, own, system = [], [], []
    for _ in range(ROUNDS):
        plain.append(bare(source))
        own.append(ours(bench, source))
        if shutil.which(DEBIAN):
            system.append(debian(source, folder))
    ratio = median(o / p for o, p in zip(own, plain, strict=True))
    note = f"{median(own) * 1000:.1f} ms against {median(plain) * 1000:.1f}"
    if system:
        beside = median(o / s for o, s in zip(own, system, strict=True))
        note += f"; {beside:.2f} x {DEBIAN}"
    else:
        note += f"; {DEBIAN} is not installed"
    return Figure(f"{name} / lupa's plain Lua", ratio, "x", "at most 1.15", ratio <= 1.15, note)


def per_call(bench: Bench) -> Figure:
    loop = "for _ = 1, {} do board:give({}) end"
    empty = median(bench.play(loop.format(0, "1"))[1] for _ in range(ROUNDS))
    full = median(bench.play(loop.format(CALLS, "1"), 1)[1] for _ in range(ROUNDS))
    us = (full - empty) / CALLS * 1e6
    return Figure("an API call, script to host and back", us, "µs", note="without the message")


def conversion(bench: Bench) -> list[Figure]:
    """A table of mixed rows, against a call that carries one number."""
    rows: list[ScriptValue] = [
        {"id": n, "name": f"sensor {n}", "value": n * 0.5, "tags": ["a", "b"], "on": True}
        for n in range(100)
    ]
    kib = len(msgspec.msgpack.encode(rows)) / 1024
    count = 200
    loop = "local t = board:give(0) for _ = 1, {} do board:give({}) end"

    def us(argument: str, answer: ScriptValue) -> float:
        source = loop.format(count, argument)
        return median(bench.play(source, answer)[1] for _ in range(ROUNDS)) / count * 1e6

    base, back, both = us("1", 1), us("1", rows), us("t", rows)
    note = f"{kib:.1f} KiB of 100 mixed rows"
    return [
        Figure("conversion, host to Lua", (back - base) / kib, "µs/KiB", note=note),
        Figure("conversion, Lua to host", (both - back) / kib, "µs/KiB", note=note),
    ]


def measure() -> list[Figure]:
    bench = Bench()
    bench.runs()
    with tempfile.TemporaryDirectory(prefix="loki-bench-") as folder:
        figures = [speed(bench, name, text, Path(folder)) for name, text in PROGRAMS.items()]
    rate = median(bench.runs() for _ in range(ROUNDS))
    note = f"{1e6 / rate:.0f} µs each: fresh state, known script, close; no messages"
    figures.append(Figure("runs a second in one runner", rate, "/s", note=note))
    return [*figures, per_call(bench), *conversion(bench)]


def run() -> list[Figure]:
    command = (sys.executable, "-m", "benchmarks.engine")
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=list[Figure])


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure()))
