"""What a script may print and hold: output is handed out, memory is counted."""

import pytest

from loki.core.run.engine import Finished, Flush
from loki.errors import ErrorCode
from loki.lua.engine import LuaEngine
from loki.messages.script import Script
from loki.messages.value import MAX_DEPTH

MIB = 1024 * 1024


def test_print_is_handed_out_in_order(play):
    run = play("print('a', 1, nil, true, 2.5) print() board:ping() print('ü')")
    assert run.chunks == ["a\t1\tnil\ttrue\t2.5\n\n", "ü\n"]


def test_print_uses_tostring_metamethods_and_shows_bytes_that_are_no_text(play):
    assert play("print(setmetatable({}, {__tostring = function() return 'T' end}))").output == "T\n"
    assert play("print('a\\xffb')").output == "a\ufffdb\n"


def test_much_output_is_flushed_while_the_script_runs(play):
    run = play("for i = 1, 100 do print(('x'):rep(999)) end")
    assert len(run.chunks) > 3
    assert max(map(len, run.chunks)) <= 17 * 1024
    assert run.output == ("x" * 999 + "\n") * 100


def test_output_of_a_long_computation_is_flushed_by_time(engine: LuaEngine):
    session = engine.prepare()
    source = "print('first') local t = os.clock() while os.clock() - t < 0.2 do end print('second')"
    step = session.start(Script(name="p", source=source, chunk="p"), {})
    assert step == Flush()
    assert session.take_output() == "first\nsecond\n"
    assert session.resume(None) == Finished(None)


@pytest.mark.parametrize("printed", [1023, 1024])
def test_s_5_1_1_output_up_to_the_cap_is_allowed(play, printed):
    run = play(f"print(('x'):rep({printed - 1})) return 'ok'", max_output_kb=1)
    assert (run.value, len(run.output)) == ("ok", printed)


def test_s_5_3_1_output_over_the_cap_ends_the_run_and_is_cut_at_a_character(play):
    run = play("while true do pcall(print, ('ü'):rep(300)) end", max_output_kb=1)
    assert run.failed.code is ErrorCode.OUTPUT_BUDGET
    assert "1 KiB" in run.failed.message
    assert "[limits] max_output_kb in a `--- loki:` header at its top" in run.failed.message
    assert len(run.output.encode()) in (1023, 1024)
    assert "\ufffd" not in run.output


def test_no_cap_on_output_is_no_cap(play):
    assert len(play("for i = 1, 40 do print(('x'):rep(9999)) end", max_output_kb=0).output) == (
        400_000
    )


def test_s_5_3_1_memory_over_the_limit_ends_the_run(play):
    run = play("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", max_memory_mb=3)
    assert run.failed.code is ErrorCode.MEMORY_BUDGET
    assert "3 MiB" in run.failed.message
    assert "[limits] max_memory_mb in a `--- loki:` header at its top" in run.failed.message


@pytest.mark.parametrize(
    ("source", "at_once"),
    [
        ("local function f(n) return 1 + f(n + 1) end return f(1)", True),
        ("local function f(n) return 1 + f(n + 1) end return pcall(f, 1)", True),
        (
            "local t = {} for i = 1, 3 do t[i] = ('x'):rep(1 << 20) end t[4] = ('x'):rep(1 << 30)",
            True,
        ),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", False),
    ],
)
def test_memory_that_was_asked_for_at_once_is_told_from_much_that_is_held(play, source, at_once):
    message = play(source, max_memory_mb=10).failed.message
    told = "KiB and asked for too much at once, as a function that calls itself without end does; "
    assert message.startswith("the script needs more than 10 MiB of memory" + ":;"[not at_once])
    assert (told in message) == at_once
    assert message.endswith("sets how much that is")


def test_memory_within_the_limit_is_there_and_counted(play):
    source = f"local t = {{}} for i = 1, 5 do t[i] = ('x'):rep({MIB}) end loki.sleep(0) return #t"
    run = play(source, max_memory_mb=8)
    assert run.value == 5
    assert 4.9 * MIB <= run.memory_bytes < 8 * MIB


def test_memory_is_for_the_script_alone(play):
    assert play("return 1").memory_bytes < 32 * 1024


def test_memory_that_is_free_again_can_be_used_again(play):
    source = f"for i = 1, 50 do local s = ('x'):rep({MIB}) end return true"
    assert play(source, max_memory_mb=3).value is True


def test_an_answer_counts_as_the_scripts_memory(play):
    source = "local s = board:ping() local t = {} for i = 1, 100 do t[i] = {} end return #s"
    failed = play(source, "x" * (5 * MIB), max_memory_mb=2).failed
    assert failed.code is ErrorCode.MEMORY_BUDGET


def test_an_answer_that_is_no_value_fails_the_call(play):
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    failed = play("return board:ping()", deep).failed
    assert f"nested deeper than {MAX_DEPTH}" in failed.message
