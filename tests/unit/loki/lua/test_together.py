"""loki.all: functions of one script that wait for the host side by side."""

from collections.abc import Iterable

import pytest

from loki.core.run.engine import (
    Call,
    CallTool,
    Emit,
    Failed,
    Finished,
    Flush,
    Require,
    Sleep,
    Started,
    Step,
    Waits,
)
from loki.errors import ErrorCode
from loki.lua.engine import LuaEngine
from loki.lua.script import LuaSession
from loki.messages.module import CompiledModule
from loki.messages.script import Limits, Script
from loki.messages.value import ScriptValue


class Play:
    """One run whose requests are answered in any order."""

    def __init__(self, engine: LuaEngine, source: str) -> None:
        session = engine.prepare()
        assert isinstance(session, LuaSession)
        self.engine = engine
        self.session = session
        self.asked: dict[int, Step] = {}
        self.step: Step
        script = Script(name="probe", source=source, chunk="probe.lua", limits=Limits())
        self._take(session.start(script, {}))

    def _take(self, step: Step) -> None:
        for _ in range(1000):
            if not isinstance(step, Started | Flush):
                break
            if isinstance(step, Started):
                assert step.ticket not in self.asked
                self.asked[step.ticket] = step.step
            step = self.session.resume(None)
        self.step = step
        for ticket in [t for t, asked in self.asked.items() if asked == Flush()][:1]:
            self.answer(ticket)

    def answer(self, ticket: int, value: ScriptValue = None) -> Step:
        del self.asked[ticket]
        self._take(self.session.resume(value, ticket))
        return self.step

    def provide(self, ticket: int, source: str) -> Step:
        module = Script(name="module", source=source, chunk="m.lua")
        bytecode = self.engine.compile(module)
        del self.asked[ticket]
        compiled = CompiledModule(file="m.lua", source=source, bytecode=bytecode)
        self._take(self.session.provide(compiled, ticket))
        return self.step

    def fail(self, ticket: int, code: ErrorCode, message: str) -> Step:
        del self.asked[ticket]
        self._take(self.session.fail(code, message, {}, ticket))
        return self.step


READS = """
local function reader(pin) return function() return board:read(pin) end end
return loki.all{reader(1), reader(2), reader(3)}
"""


def pins(asked: Iterable[Step]) -> list[ScriptValue]:
    return [step.arguments["pin"] for step in asked if isinstance(step, Call)]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_results_come_in_order_whatever_comes_first(
    engine: LuaEngine, order: tuple[int, ...]
) -> None:
    play = Play(engine, READS)
    assert (play.step, pins(play.asked.values())) == (Waits(), [1, 2, 3])
    for ticket in order[:2]:
        assert play.answer(ticket, ticket * 10) == Waits()
    assert play.answer(order[2], order[2] * 10) == Finished([10, 20, 30])


def test_each_goes_on_with_its_own_answer(engine: LuaEngine) -> None:
    play = Play(
        engine,
        """
        return loki.all{
          function() local a = board:read('a') return a + loki.call('tool', {n = a}) end,
          function() loki.sleep(50) loki.emit('slept') return 7 end,
        }""",
    )
    assert play.asked == {1: Call("board", "read", {"pin": "a"}), 2: Sleep(0.05)}
    play.answer(2)
    assert play.asked == {1: Call("board", "read", {"pin": "a"}), 3: Emit("slept")}
    play.answer(1, 30)
    assert play.asked == {3: Emit("slept"), 4: CallTool("tool", {"n": 30})}
    play.answer(3)
    assert play.answer(4, 12) == Finished([42, 7])


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("return loki.all{}", []),
        ("return loki.all{function() end, function() return nil end}", [None, None]),
        ("return loki.all{function() return false, 1 end}", [False]),
        ("return #loki.all{function() return loki.now() end} == 1", True),
        ("return loki.all{function() return loki.all{function() return 5 end} end}", [[5]]),
        ("return loki.all{function() return coroutine.isyieldable() end}", [False]),
        (
            "local co local seen = loki.all{function() co = coroutine.running()\n"
            "return coroutine.status(co) end} return {seen[1], coroutine.status(co)}",
            ["running", "dead"],
        ),
    ],
)
def test_functions_that_wait_for_nothing(engine: LuaEngine, source: str, value: object) -> None:
    assert Play(engine, source).step == Finished(value)  # type: ignore[arg-type]


def test_one_within_another(engine: LuaEngine) -> None:
    play = Play(
        engine,
        """
        local function read(pin) return function() return board:read(pin) end end
        return loki.all{
          read(1),
          function() return loki.all{read(2), function() return loki.all{read(3), read(4)} end} end,
        }""",
    )
    assert pins(play.asked.values()) == [1, 2, 3, 4]
    for ticket in [*play.asked][::-1]:
        play.answer(ticket, 10)
    assert play.step == Finished([10, [10, [10, 10]]])


def test_inside_coroutines_of_the_script(engine: LuaEngine) -> None:
    play = Play(
        engine,
        """
        local gen = coroutine.wrap(function()
          local function deep(pin)
            return function() return coroutine.wrap(function() return board:read(pin) end)() end
          end
          coroutine.yield(loki.all{deep(1), deep(2)})
        end)
        return gen()""",
    )
    play.answer(2, "two")
    assert play.answer(1, "one") == Finished(["one", "two"])


def test_the_first_error_in_order_comes_after_all_have_ended(engine: LuaEngine) -> None:
    play = Play(
        engine,
        """
        local done = {}
        local ok, e = pcall(loki.all, {
          function() loki.sleep(1) done[1] = true end,
          function() board:read(1) end,
          function() error('third') end,
        })
        return {ok, e.code, e.message, done[1]}""",
    )
    assert play.fail(2, ErrorCode.CHILD_DOWN, "gone") == Waits()
    assert play.answer(1) == Finished([False, "CHILD_DOWN", "gone", True])


@pytest.mark.parametrize("raised", ["nil", "false", "'text'"])
def test_whatever_is_raised_comes_out(engine: LuaEngine, raised: str) -> None:
    source = (
        f"local ok, e = pcall(loki.all, {{function() error({raised}, 0) end}})\n"
        f"return not ok and e == {raised}"
    )
    assert Play(engine, source).step == Finished(True)


def test_an_error_that_nobody_catches_ends_the_script(engine: LuaEngine) -> None:
    step = Play(engine, "loki.all{function() error('boom') end}").step
    assert isinstance(step, Failed)
    assert (step.code, step.message, step.line) == (
        ErrorCode.SCRIPT_ERROR,
        "probe.lua:1: boom",
        1,
    )


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("loki.all()", "takes one table, an array of functions"),
        ("loki.all(print)", "takes one table, an array of functions"),
        ("loki.all({}, {})", "takes one table, an array of functions"),
        ("loki.all{print, 4}", "item 2 must be a function, got number"),
        ("loki.all{print, nil, print}", "item 2 must be a function, got nil"),
    ],
)
def test_misuse_is_explained(engine: LuaEngine, call: str, complaint: str) -> None:
    step = Play(engine, f"local ok, e = pcall(function() {call} end) return e.message").step
    assert step == Finished(f"loki.all{{...}}: {complaint}")


def test_it_cannot_wait_inside_a_comparator(engine: LuaEngine) -> None:
    for wait in ("loki.all{function() board:ping() end}", "WRAP(function() SELF end)()"):
        self = "loki.all{function() board:ping() end}"
        body = wait.replace("WRAP", "coroutine.wrap").replace("SELF", self)
        source = f"local ok, e = pcall(table.sort, {{2, 1}}, function() {body} end) return e.code"
        assert Play(engine, source).step == Finished("UNSUPPORTED"), wait


def test_functions_cannot_wake_what_waits_in_each_other(engine: LuaEngine) -> None:
    """Nor end it: the answer is for who asked."""
    play = Play(
        engine,
        """
        local branch, inner, wrapped
        inner = coroutine.create(function() return board:read(1) end)
        wrapped = coroutine.wrap(function() return board:read(2) end)
        return loki.all{
          function() branch = coroutine.running() loki.sleep(1) return 'slept' end,
          function() return select(2, coroutine.resume(inner)) end,
          function() return wrapped() end,
          function()
            local seen = {}
            for _, co in ipairs{branch, inner} do
              seen[#seen + 1] = coroutine.status(co)
              seen[#seen + 1] = select(2, coroutine.resume(co, 'forged'))
              seen[#seen + 1] = select(2, pcall(coroutine.close, co))
            end
            seen[#seen + 1] = select(2, pcall(wrapped, 'forged'))
            return seen
          end,
        }""",
    )
    play.answer(1)
    play.answer(2, 20)
    assert play.answer(3, 30) == Finished(
        [
            "slept",
            20,
            30,
            [
                *["normal", "cannot resume non-suspended coroutine"],
                "cannot close a normal coroutine",
                *["normal", "cannot resume non-suspended coroutine"],
                "cannot close a normal coroutine",
                "cannot resume non-suspended coroutine",
            ],
        ]
    )


def test_a_function_cannot_yield_to_nobody(engine: LuaEngine) -> None:
    source = "local ok, e = pcall(loki.all, {function() coroutine.yield(1) end}) return e"
    step = Play(engine, source).step
    assert isinstance(step, Finished)
    assert "attempt to yield from outside a coroutine" in str(step.value)


@pytest.mark.parametrize(
    ("greed", "code"),
    [
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1e5) end", ErrorCode.MEMORY_BUDGET),
        ("while true do print(('x'):rep(1e5)) end", ErrorCode.OUTPUT_BUDGET),
        ("local function f() return loki.all{f} end f()", ErrorCode.SCRIPT_ERROR),
    ],
)
def test_budgets_end_it_all(engine: LuaEngine, greed: str, code: ErrorCode) -> None:
    play = Play(engine, f"loki.all{{function() loki.sleep(1) end, function() {greed} end}}")
    if play.step == Waits():
        play.answer(1)
    assert isinstance(play.step, Failed)
    assert play.step.code is code


def test_output_of_all_is_the_scripts(engine: LuaEngine) -> None:
    play = Play(
        engine,
        "loki.all{function() print('a') loki.sleep(1) print('c') end, function() print('b') end}",
    )
    play.answer(1)
    assert play.session.take_output() == "a\nb\nc\n"


TWO_REQUIRE = "local function load() return require('m') end local m = loki.all{load, load} "


def test_two_that_require_one_module_share_it(engine: LuaEngine) -> None:
    play = Play(engine, TWO_REQUIRE + "return {m[1], rawequal(m[1], m[2])}")
    assert play.asked == {1: Require("m"), 2: Require("m")}
    play.provide(1, "count = (count or 0) + 1 return {count}")
    assert play.provide(2, "count = count + 1 return {count}") == Finished([[1], True])


def test_a_module_that_waits_while_it_loads_is_nobody_elses_yet(engine: LuaEngine) -> None:
    play = Play(engine, TWO_REQUIRE)
    play.provide(1, "loki.sleep(50) return {}")
    assert play.asked == {2: Require("m"), 3: Sleep(0.05)}
    play.provide(2, "return {}")
    end = play.answer(3)
    assert isinstance(end, Failed)
    assert "another function of loki.all is loading 'm'; require it before" in end.message


def test_a_circle_is_shown_also_within_all(engine: LuaEngine) -> None:
    play = Play(engine, "loki.all{function() loki.sleep(9) end, function() require('m') end}")
    play.provide(2, "require('m')")
    end = play.answer(1)
    assert isinstance(end, Failed)
    assert "modules require each other in a circle: m > m" in end.message


def test_after_all_a_module_still_knows_its_circle(engine: LuaEngine) -> None:
    source = "local all = loki.all{function() return loki.now() end} require('m')"
    play = Play(engine, "return loki.all{function() return require('m') end}")
    end = play.provide(1, source)
    assert isinstance(end, Failed)
    assert "modules require each other in a circle: m > m" in end.message
