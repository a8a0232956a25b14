"""loki.all whose functions wait in odd places, or where nobody can wait."""

import pytest

from loki.core.run.engine import Call, Finished, Waits
from loki.lua.engine import LuaEngine
from tests.unit.loki.lua.test_together import Play


def test_functions_wait_in_readers_of_load(engine: LuaEngine) -> None:
    play = Play(
        engine,
        """
        local function loaded(pin)
          return function()
            local left = 2
            return load(function()
              left = left - 1
              return left >= 0 and board:read(pin) or nil
            end)()
          end
        end
        return loki.all{loaded(1), loaded(2)}""",
    )
    assert play.asked == {
        1: Call("board", "read", {"pin": 1}),
        2: Call("board", "read", {"pin": 2}),
    }
    play.answer(2, "return ")
    play.answer(1, "return 10")
    assert play.step == Waits()
    (fourth,) = (ticket for ticket, asked in play.asked.items() if asked.arguments == {"pin": 1})
    (third,) = play.asked.keys() - {fourth}
    play.answer(third, "20")
    assert play.answer(fourth, " + 1") == Finished([11, 20])


@pytest.mark.parametrize(
    ("body", "caller"),
    [
        ("table.sort({2, 1}, function() return board:read(1) end)", "sort"),
        ("('a'):gsub('.', function() return board:read(1) end)", "gsub"),
        (
            "tostring(setmetatable({}, {__tostring = function() return board:read(1) end}))",
            "tostring",
        ),
        ("('a'):gsub('.', function() loki.all{function() return board:read(1) end} end)", "gsub"),
    ],
)
def test_a_function_that_cannot_wait_fails_and_the_others_go_on(
    engine: LuaEngine, body: str, caller: str
) -> None:
    play = Play(
        engine,
        f"""
        local seen
        local ok, e = pcall(loki.all, {{
          function() seen = board:read(7) end,
          function() {body} end,
        }})
        return {{ ok, e.code, e.message, seen }}""",
    )
    assert play.asked == {1: Call("board", "read", {"pin": 7})}
    step = play.answer(1, 70)
    assert isinstance(step, Finished)
    assert isinstance(step.value, list)
    ok, code, message, seen = step.value
    assert (ok, code, seen) == (False, "UNSUPPORTED", 70)
    assert f"cannot wait here: not inside a function that '{caller}' calls" in str(message)


def test_it_cannot_be_called_where_nobody_can_wait(engine: LuaEngine) -> None:
    play = Play(
        engine, "return select(2, pcall(('a').gsub, 'a', '.', function() loki.all{} end)).code"
    )
    assert play.step == Finished("UNSUPPORTED")
