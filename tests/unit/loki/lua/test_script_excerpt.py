"""What callers are told of an error that is no text: its content, and no address."""

import re

import pytest

ADDRESS = re.compile(r"0x[0-9a-f]+")

LOOP = "local t = {n = 1} t.self = t error(t)"


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("error({code = 5})", "a table: {code = 5}"),
        ("error({})", "a table: {}"),
        (
            "error({z = 1, a = 'x', [2.5] = true, [1] = false})",
            'a table: {false, [2.5] = true, a = "x", z = 1}',
        ),
        ("error({1, 2, 'three', n = 3})", 'a table: {1, 2, "three", n = 3}'),
        (
            "error({[true] = 1, [false] = 2, [print] = 3})",
            "a table: {[false] = 2, [true] = 1, [function] = 3}",
        ),
        ("error({['a b'] = 1, [-1] = 2})", 'a table: {[-1] = 2, ["a b"] = 1}'),
        ("error({f = print, t = coroutine.create(print)})", "a table: {f = function, t = thread}"),
        ("error({a = {b = {c = {d = 1}, e = {}}}})", "a table: {a = {b = {c = {...}, e = {}}}}"),
        (LOOP, "a table: {n = 1, self = {n = 1, self = {n = 1, self = {...}}}}"),
        ("error({s = 'a\\nb\\n\"'})", 'a table: {s = "a\\nb\\n\\""}'),
        ("error({loki.null, loki.bytes('xyz')})", "a table: {loki.null, (3 bytes)}"),
        ("error({message = 5})", "a table: {message = 5}"),
        ("error(setmetatable({a = 1}, {__name = 'mine'}))", "a table: {a = 1}"),
        ("error(setmetatable({a = 1}, {__metatable = 1, __pairs = error}))", "a table: {a = 1}"),
        ("error(print)", "a function"),
        ("error(coroutine.create(print))", "a thread"),
        ("error(nil)", "nil"),
        ("coroutine.wrap(function() error({code = 5}) end)()", "a table: {code = 5}"),
        ("loki.all{function() error({code = 5}) end}", "a table: {code = 5}"),
    ],
)
def test_an_error_that_is_no_text_shows_its_content(play, raised, told):
    failed = play(raised).failed
    assert failed.message.partition(" is ")[::2] == ("the error", told)
    assert failed.line == 1


@pytest.mark.parametrize(
    "raised",
    [
        "local t = {} for i = 1, 100000 do t[i] = i end error(t)",
        "local t = {} for i = 1, 16 do t[i] = ('ü'):rep(1000) end error(t)",
        "local t = {} for i = 1, 5000 do t[{}] = {{}} end error(t)",
        "error({[('k'):rep(100000)] = ('v'):rep(100000)})",
        "local function t(n) local r = {} for i = 1, n > 0 and 16 or 0 do r[i] = t(n - 1) end "
        "return r end error(t(3))",
    ],
)
def test_a_large_table_is_cut(play, raised):
    message = play(raised, max_memory_mb=64).failed.message
    assert message.startswith("the error is a table: {")
    assert "..." in message
    assert len(message) < 600
    assert "\ufffd" not in message
    assert not ADDRESS.search(message)


def test_no_metamethod_runs(play):
    source = """
    local noisy = function() print("ran") return "x" end
    local meta = {__index = noisy, __len = noisy, __pairs = noisy, __eq = noisy, __lt = noisy,
      __concat = noisy, __name = "mine"}
    error(setmetatable({[setmetatable({}, meta)] = 1, [setmetatable({}, meta)] = 2}, meta))
    """
    run = play(source)
    assert run.failed.message.startswith("the error is a table: {[{}] = ")
    assert run.output == ""
