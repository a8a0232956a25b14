"""Where Lua can wait for the host, and what is said where it cannot."""

import pytest

from loki.core.run.engine import Call

READ = "function() return board:read(1) end"


@pytest.mark.parametrize(
    ("source", "caller"),
    [
        ("table.sort({3, 2, 1}, function(a, b) return board:read(1) end)", "sort"),
        ("local order = table.sort order({2, 1}, function() board:read(1) end)", "order"),
        ("local s = 'abc' return s:gsub('.', function() board:read(1) end)", "gsub"),
        (f"tostring(setmetatable({{}}, {{__tostring = {READ}}}))", "tostring"),
        (f"print(setmetatable({{}}, {{__tostring = {READ}}}))", "print"),
        (f"string.format('%s', setmetatable({{}}, {{__tostring = {READ}}}))", "format"),
        (f"table.concat(setmetatable({{}}, {{__index = {READ}}}), '', 1, 1)", "concat"),
        (f"table.sort({{setmetatable({{}}, {{__lt = {READ}}}), {{}}}})", "sort"),
        ("('a'):gsub('.', function() loki.sleep(1) end)", "gsub"),
        ("('a'):gsub('.', function() loki.all {} end)", "gsub"),
        ("('a'):gsub('.', function() assert(pcall(board.read, board, 1)) end)", "gsub"),
        (
            "local read = pcall table.sort({2, 1}, function()"
            " local _, e = read(function() board:read(1) end) error(e, 0) end)",
            "sort",
        ),
        ("table.sort({2, 1}, function() ('a'):gsub('.', board.ping) end)", "gsub"),
        (f"string.gsub('a', '.', coroutine.wrap({READ}))", "gsub"),
        (f"table.sort({{2, 1}}, function() coroutine.wrap(coroutine.wrap({READ}))() end)", "sort"),
    ],
)
def test_where_lua_cannot_wait_the_error_names_who_called(play, source, caller):
    source = source.replace("board.ping", "function() board:ping() end")
    failed = play(source).failed
    assert f"cannot wait here: not inside a function that '{caller}' calls; " in failed.message
    assert "keep the result in a local" in failed.message
    assert failed.line == 1


def test_where_nobody_can_see_who_called_all_such_places_are_named(play):
    source = """
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, {__close = function() board:read(1) end})
      coroutine.yield()
    end)
    coroutine.resume(co)
    assert(coroutine.close(co))"""
    failed = play(source).failed
    assert "cannot wait here: not inside a table.sort comparator, a string.gsub" in failed.message
    assert "keep the result in a local" in failed.message


@pytest.mark.parametrize(
    "source",
    [
        f"local t = setmetatable({{}}, {{__index = {READ}}}) return t.x",
        f"return select(2, pcall({READ}))",
        f"return select(2, xpcall({READ}, print))",
        f"return coroutine.wrap({READ})()",
        f"return load({READ})()",
        f"for v in {READ} do return v end",
        f"for _, v in pairs(setmetatable({{}}, {{__pairs = function() return {READ} end}})) do end"
        " return 'return 7'",
        "local v do local _ <close> = setmetatable({}, {"
        " __close = function() v = board:read(1) end}) end return v",
    ],
)
def test_where_lua_can_wait_it_does(play, source):
    run = play(source, "return 7")
    assert run.value in (7, "return 7")
    assert Call("board", "read", {"pin": 1}) in run.calls
