"""A fresh Lua state beside a bare one, and a known script beside one that has to be compiled."""

import importlib
import time
from collections.abc import Callable
from statistics import median

from lupa import lua54

from benchmarks.result import Figure
from loki.config import DEFAULT_CHILDREN
from loki.lua.engine import LuaEngine
from loki.messages.script import Script

ROUNDS = 9
CALLS = 200
FUNCTION = (
    "local function f%d(a, b) if a > b then return a + b * %d end return {x = a, y = b} end\n"
)
SCRIPT = Script(name="one", source="return 1", chunk="one.lua")
LARGE = Script(
    name="large", source="".join(FUNCTION % (i, i) for i in range(150)), chunk="large.lua"
)


def microseconds(action: Callable[[], object]) -> float:
    times = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        action()
        times.append((time.perf_counter() - begin) * 1e6)
    return median(times)


def bare() -> object:
    return lua54.LuaRuntime()


def run() -> list[Figure]:
    engine = LuaEngine(tuple(importlib.import_module(n).CHILD.module for n in DEFAULT_CHILDREN))
    bytecode = engine.compile(LARGE)

    def fresh() -> None:
        engine.prepare().close()

    def start(script: Script, compiled: bytes = b"") -> None:
        session = engine.prepare()
        session.start(script, {}, compiled)
        session.close()

    actions: dict[str, Callable[[], object]] = {
        "bare": bare,
        "fresh": fresh,
        "trivial": lambda: start(SCRIPT),
        "compiled": lambda: start(LARGE),
        "known": lambda: start(LARGE, bytecode),
    }
    for action in actions.values():
        microseconds(action)
    rounds = [
        {name: microseconds(action) for name, action in actions.items()} for _ in range(ROUNDS)
    ]
    us = {name: median(each[name] for each in rounds) for name in actions}
    state = median(each["fresh"] / each["bare"] for each in rounds)
    trivial = median(each["trivial"] / each["bare"] for each in rounds)
    known = median((r["known"] - r["fresh"]) / (r["compiled"] - r["fresh"]) for r in rounds) * 100
    size = f"{len(LARGE.source) // 1024} KiB of source"
    costs = us["known"] - us["fresh"], us["compiled"] - us["fresh"]
    return [
        Figure(
            "fresh sealed state / bare LuaRuntime", state, "x", "at most 3", state <= 3,
            f"{us['fresh']:.0f} µs against {us['bare']:.0f}",
        ),
        Figure("the same with a trivial run", trivial, "x", note=f"{us['trivial']:.0f} µs"),
        Figure(
            "a known script, of compiling it", known, "%", "at most 50", known <= 50,
            f"{costs[0]:.0f} µs against {costs[1]:.0f}, {size}",
        ),
    ]  # fmt: skip
