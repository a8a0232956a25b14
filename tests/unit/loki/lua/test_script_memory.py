"""Budgets of memory that no script can hide from, whatever its `__close` handlers do."""

import pytest

from loki.errors import ErrorCode

HOG = "hog = {} while true do hog[#hog + 1] = ('x'):rep(1000) .. #hog end"
MASKS = {
    "early": "local mask = setmetatable({}, {__close = function() hog = nil "
    "error('mine', 0) end}) ",
    **{
        kind: "local meta = {} local mask = setmetatable({}, meta) "
        f"meta.__close = function({parameters}) hog = nil {body} end "
        for kind, parameters, body in (
            ("late", "", "error('mine', 0)"),
            ("late, of any number", "...", "error('mine', 0)"),
            ("late, of one and more", "_, ...", "error('mine', 0)"),
            ("late, of three", "a, b, c", "a, b, c = nil error('mine', 0)"),
            ("late, nil", "", "error(nil)"),
            ("late, forged", "", "error('error in error handling', 0)"),
            (
                "late, deep",
                "",
                "local function f(n) return n == 0 and error('mine', 0) or f(n - 1) "
                "and 1 end f(5000)",
            ),
            ("late, caught within", "", "pcall(error, 'other') error('mine', 0)"),
        )
    },
}
GREEDY = f"local greedy = setmetatable({{}}, {{__close = function() {HOG} end}})"


@pytest.mark.parametrize(
    "source",
    [
        f"pcall(function() local c <close> = mask {HOG} end)",
        f"xpcall(function() local c <close> = mask {HOG} end, print)",
        f"pcall(coroutine.wrap(function() local c <close> = mask {HOG} end))",
        f"local co = coroutine.create(function() local c <close> = mask {HOG} end)"
        " coroutine.resume(co) coroutine.close(co)",
        f"local c <close> = mask {HOG}",
        f"pcall(function() for _ in next, {{1}}, nil, mask do {HOG} end end)",
        f"local c <close> = mask pcall(function() local d <close> = mask {HOG} end)",
        "pcall(function() local c <close> = mask local s = ('x'):rep(1 << 30) end)",
        "setmetatable(mask, getmetatable(setmetatable({}, getmetatable(mask))))"
        f" pcall(function() local c <close> = mask {HOG} end)",
        f"local function inner() local c <close> = mask {HOG} end"
        " pcall(function() local d <close> = mask inner() end)",
        "local mt = {} rawset(mt, '__close', function() error('mine', 0) end)"
        f" local own = setmetatable({{}}, mt) pcall(function() local c <close> = own {HOG} end)",
        "local mt = {} local own = setmetatable({}, mt) mt.__close = function() error('mine') end"
        f" setmetatable({{}}, mt) pcall(function() local c <close> = own {HOG} end)",
        "local greedy = setmetatable({}, {__close = function() local c <close> = mask "
        f"{HOG} end}}) pcall(function() local a <close> = mask local b <close> = greedy end)",
        f"pcall(load([[local mask = ... local c <close> = mask {HOG}]]), mask)",
        f"pcall(table.sort, {{2, 1}}, function() local c <close> = mask {HOG} end)",
        f"pcall(string.gsub, 'a', '.', function() local c <close> = mask {HOG} end)",
        f"load(function() local c <close> = mask {HOG} end)",
        f"xpcall(error, function() local c <close> = mask {HOG} end)",
        f"pcall(tostring, setmetatable({{}}, {{__tostring = function() local c <close> = mask {HOG}"
        " end}))",
        f"pcall(loki.all, {{function() local c <close> = mask {HOG} end}})",
        "for _ in coroutine.wrap(function() pcall(function() local c <close> = mask"
        f" coroutine.yield(1) {HOG} end) end) do end",
        # Memory runs out while another end unwinds.
        f"{GREEDY} pcall(function() local a <close> = mask local b <close> = greedy error('r')"
        " end)",
        f"{GREEDY} pcall(function() local a <close> = mask local b <close> = greedy end)",
        f"{GREEDY} xpcall(function() local a <close> = mask local b <close> = greedy error() end,"
        " function() return 'handled' end)",
        f"{GREEDY} local co = coroutine.create(function() local a <close> = mask"
        " local b <close> = greedy coroutine.yield() end) coroutine.resume(co) coroutine.close(co)",
        f"{GREEDY} local co = coroutine.create(function() local a <close> = mask"
        " local b <close> = greedy error('r') end) coroutine.resume(co) coroutine.close(co)",
        f"{GREEDY} pcall(coroutine.wrap(function() local a <close> = mask"
        " local b <close> = greedy error('r') end))",
        f"{GREEDY} local co = coroutine.create(function() pcall(function() local a <close> = mask"
        " local b <close> = greedy coroutine.yield() end) end) coroutine.resume(co)"
        " coroutine.close(co)",
        f"pcall(function() local a <close> = setmetatable({{}}, {{__close = function() pcall("
        f"function() local c <close> = mask {HOG} end) end}}) error('r') end)",
        f"pcall(function() local c <close> = mask load(('('):rep(500)) {HOG} end)",
        f"error(setmetatable({{}}, {{__tostring = function() local c <close> = mask {HOG} end}}))",
        # A compiler that lacks room tells the message handler, although nothing unwinds then.
        "pcall(load, ('('):rep(500)) coroutine.wrap(function() pcall(function()"
        f" local c <close> = mask {HOG} end) end)()",
        f"local co co = coroutine.wrap(function() pcall(co) pcall(function() local c <close> = mask"
        f" {HOG} end) end) co()",
    ],
)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_s_5_3_1_no_close_handler_replaces_the_end_for_memory(play, mask, source):
    failed = play(f"{mask}{source} return 'survived'", max_memory_mb=4).failed
    assert failed.code is ErrorCode.MEMORY_BUDGET


@pytest.mark.parametrize(
    "source",
    [
        f"coroutine.wrap(function() pcall(function() local c <close> = mask {HOG} end) end)()",
        f"coroutine.wrap(function() local c <close> = mask pcall(function() local d <close> = mask"
        f" {HOG} end) end)()",
        f"local co = coroutine.wrap(function() pcall(function() local c <close> = mask {HOG} end)"
        " end) co() co()",
        "coroutine.wrap(function() pcall(function() local c <close> = mask local d <close> ="
        f" setmetatable({{}}, {{__close = function() {HOG} end}}) error('r') end) end)()",
    ],
)
@pytest.mark.parametrize("wait", ["coroutine.yield()", "pcall(coroutine.yield)"])
def test_s_5_3_1_no_close_handler_waits_for_ever_with_the_end_for_memory(play, wait, source):
    mask = (
        "local meta = {} local mask = setmetatable({}, meta) "
        f"meta.__close = function() hog = nil {wait} end "
    )
    failed = play(f"{mask}{source} return 'survived'", max_memory_mb=4).failed
    assert failed.code is ErrorCode.MEMORY_BUDGET


CALLED = {
    "of C": "math.floor",
    "through __call": "setmetatable({}, {__call = fails})",
    "through two": "setmetatable({}, {__call = setmetatable({}, {__call = fails})})",
    "of any number": "setmetatable({}, {__call = function(_, ...) fails() end})",
    "of C through __call": "setmetatable({}, {__call = math.floor})",
    "and what it is called through": "setmetatable({}, {__call = fails, __close = fails})",
}


@pytest.mark.parametrize("handler", CALLED.values(), ids=CALLED)
@pytest.mark.parametrize(
    "source",
    [
        "pcall(function() local a <close> = mask local b <close> = greedy error('r') end)",
        "local co = coroutine.create(function() local a <close> = mask local b <close> = greedy"
        " coroutine.yield() end) coroutine.resume(co) coroutine.close(co)",
    ],
)
def test_what_a_close_handler_is_told_is_seen_however_it_is_called(play, source, handler):
    mask = (
        "local function fails() hog = nil local n = nil return n.n end "
        f"local mask = setmetatable({{}}, {{__close = {handler}}}) "
    )
    failed = play(f"{mask}{GREEDY} {source}", max_memory_mb=4).failed
    assert failed.code is ErrorCode.MEMORY_BUDGET


@pytest.mark.parametrize("first", ["coroutine.yield()", "board:ping()"])
def test_no_other_coroutine_looks_in_the_place_of_the_one_that_waits(play, first):
    source = (
        "local meta = {} local mask = setmetatable({}, meta) meta.__close = function() hog = nil"
        f" coroutine.wrap(function() {first} end)() coroutine.yield() end coroutine.wrap(function()"
        f" pcall(function() local c <close> = mask {HOG} end) end)() return 'survived'"
    )
    assert play(source, max_memory_mb=4).failed.code is ErrorCode.MEMORY_BUDGET


OVERFLOW = "local function f() return 1 + f() end"
FAILING = (
    "local c = setmetatable({}, {__close = function() error('mine', 0) end}) "
    "local function fail() local a <close> = c error('x') end "
    "local function nested() local a <close> = c "
    "local ok, e = pcall(string.gsub, 'x', 'x', nested) "
    "if not ok then error(e, 0) end return 'x' end "
    "local function wrapped() return pcall(function() local a <close> = c "
    "return coroutine.wrap(wrapped)() end) end "
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            f"{OVERFLOW} local ok, e = pcall(f) return {{ok, e:match('stack overflow')}}",
            [False, "stack overflow"],
        ),
        (f"{OVERFLOW} local ok, e = xpcall(error, f) return {{ok, type(e)}}", [False, "string"]),
        (
            f"{OVERFLOW} local mt = {{}} local c = setmetatable({{}}, mt)"
            " mt.__close = function() f() end local ok, e ="
            " pcall(function() local a <close> = c end)"
            " return {ok, e:match('stack overflow')}",
            [False, "stack overflow"],
        ),
        (
            "local mt = {} local c = setmetatable({}, mt) mt.__close = function(_, e)"
            " error(tostring(e) .. '!', 0) end local ok, e = pcall(function() local a <close> = c"
            " local b <close> = c error('r', 0) end) return {ok, e}",
            [False, "r!!"],
        ),
        (
            "local mt = {} local c = setmetatable({}, mt) mt.__close = function(_, e)"
            " error(tostring(e) .. '!', 0) end local co = coroutine.create(function()"
            " pcall(function() local a <close> = c local b <close> = c coroutine.yield() end) end)"
            " coroutine.resume(co) local ok, e = coroutine.close(co) return {ok, e}",
            [False, "nil!!"],
        ),
        (
            "local mt = {} local c = setmetatable({}, mt) mt.__close = function(_, e)"
            " coroutine.yield(e) error('late', 0) end local co = coroutine.wrap(function()"
            " return pcall(function() local a <close> = c error('r', 0) end) end)"
            " collectgarbage() return {co(), select(2, co())}",
            ["r", "late"],
        ),
        (f"{FAILING} return {{pcall(nested)}}", [False, "mine"]),
        (f"{FAILING} return (wrapped())", False),
        (
            f"{FAILING} local function handler(e) local _, other = pcall(fail) error(other) end"
            " return {xpcall(fail, handler)}",
            [False, "error in error handling"],
        ),
        (
            "local c = setmetatable({}, {__close = function() xpcall('not enough memory', print)"
            " end}) local ok, e = pcall(function() local a <close> = c error('r', 0) end)"
            " return {ok, e}",
            [False, "r"],
        ),
        (
            "return coroutine.wrap(function() pcall(load, ('('):rep(500)) return (function(_, e)"
            " return {e} end)(1, 'not enough memory') end)()",
            ["not enough memory"],
        ),
        (
            # Each level of the stack calls something protected.
            "local failed = 0 local function f() if not pcall(rawlen, '') then failed = failed + 1"
            " if failed > 1 then return 0 end end return 1 + f() end return {f() > 1000, failed}",
            [True, 2],
        ),
        ("local ok, e = pcall(error, nil) return {ok, e == nil}", [False, True]),
        (
            "local mt = {} local c = setmetatable({}, mt) mt.__close = function() error(nil) end"
            " local ok, e = pcall(function() local a <close> = c error('r') end)"
            " return {ok, e == nil}",
            [False, True],
        ),
        (
            "local ok, e = pcall(error, 'not enough memory', 0) return {ok, e}",
            [False, "not enough memory (raised by the script)"],
        ),
    ],
)
def test_other_ends_are_not_taken_for_it(play, source, expected):
    assert play(source, max_memory_mb=200).value == expected


def test_a_close_handler_still_gets_the_scripts_own_errors(play):
    source = """
    local seen = {}
    local function guard(n)
      return setmetatable({}, {__close = function(_, e) seen[n] = tostring(e) end})
    end
    do local a <close> = guard(1) end
    local ok, e = pcall(function() local b <close> = guard(2) error("oh", 0) end)
    return {seen[1], seen[2], e}
    """
    assert play(source).value == ["nil", "oh", "oh"]


THRIFTY = """
for i = 1, 300 do
  local parts = {}
  for j = 1, 300 do parts[j] = ("x"):rep(1000) .. j end
  local ok, e = pcall(function()
    local c <close> = setmetatable({}, {__close = function() error("mine", 0) end})
    error("other")
  end)
  assert(not ok and e == "mine")
end
return "done"
"""


def test_a_script_that_frees_what_it_held_is_not_ended(play):
    """It allocates some 90 MiB, so that memory is short again and again, and is found each time."""
    assert play(THRIFTY, max_memory_mb=1).value == "done"
