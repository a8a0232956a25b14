"""Random hostile Lua: whatever a script can reach, called with whatever it should not be given."""

from collections.abc import Callable
from random import Random

PROLOGUE = """\
local P, type, next, getmetatable, print = {}, type, next, getmetatable, print
local pcall, xpcall, select, setmetatable, rawset = pcall, xpcall, select, setmetatable, rawset
local ROOT, BOARD, LOKI, STRING = coroutine.running(), board, loki, string
local function try(...) return select(2, pcall(...)) end
local function spy(value, seen)
  if type(value) == 'userdata' then print('ESCAPED:'..type(value)) end
  if type(value) ~= 'table' or seen[value] or #seen > 500 then return end
  seen[value], seen[#seen + 1] = true, value
  local meta = getmetatable(value)
  if type(meta) == 'table' then spy(meta, seen) end
  for k, v in next, value do spy(k, seen) spy(v, seen) end
end
local function keep(i, ...)
  for n = 1, select('#', ...) do P[(i + n) % 8 + 1] = (select(n, ...)) end
  spy({...}, {})
end
local M = {}
"""
EPILOGUE = "spy(P, {}) spy(_G, {}) return P[1]\n"

VALUES = (
    "nil", "true", "0", "1", "-1", "7", "0.5", "-0.0", "1e308", "math.huge", "0/0", "1 << 31",
    "1 << 40", "1 << 62", "math.maxinteger", "math.mininteger", "''", "'x'", "'abc'", "'\\0'",
    "'\\255\\254'", "'\\27Lua'", "'k'", "'n'", "'__gc'", "'__index'", "'__metatable'", "'__close'",
    "'not enough memory'", "'stopped'", "'return ...'", "'%d+'", "'.-b'", "'%b()'", "'(.)%1'",
    "'%99d'", "'%s%s'", "'%q'", "'i16 z s8'", "'>!16 Xi8'", "'count'", "'collect'", "'step'",
    "('x'):rep(3000)", "('('):rep(300)", "('a?'):rep(40) .. ('a'):rep(40)", "'*t'", "'!%c'",
    "{}", "{1, 2, 3}", "{{}, {}}", "P", "M", "_G", "_ENV", "params", "STRING", "string", "table",
    "coroutine", "math", "setmetatable({}, M)", "setmetatable({1, 2}, M)", "ROOT", "BOARD",
    "LOKI", "LOKI.null", "loki.bytes('b')", "loki.array()", "print", "error", "pcall", "try",
    "keep", "coroutine.yield", "coroutine.create(print)", "coroutine.create(BOARD.ping)",
    "coroutine.wrap(error)", "coroutine.running()", "load", "next", "getmetatable('')",
    "BOARD.ping", "BOARD.set", "LOKI.emit", "function(...) return ... end",
    "function(...) return BOARD:ping() end", "function(...) error(...) end",
    "function(...) return coroutine.yield(...) end",
)  # fmt: skip
FUNCTIONS = (
    "assert", "collectgarbage", "error", "getmetatable", "ipairs", "load", "next", "pairs",
    "pcall", "print", "rawequal", "rawget", "rawlen", "rawset", "select", "setmetatable",
    "tonumber", "tostring", "type", "xpcall", "coroutine.close", "coroutine.create",
    "coroutine.isyieldable", "coroutine.resume", "coroutine.running", "coroutine.status",
    "coroutine.wrap", "coroutine.yield", "math.random", "math.randomseed", "math.tointeger",
    "math.fmod", "math.ult", "os.clock", "os.date", "os.difftime", "os.time", "string.byte",
    "string.char", "string.find", "string.format", "string.gmatch", "string.gsub", "string.len",
    "string.match", "string.pack", "string.packsize", "string.rep", "string.reverse",
    "string.sub", "string.unpack", "table.concat", "table.insert", "table.move", "table.pack",
    "table.remove", "table.sort", "table.unpack", "utf8.char", "utf8.codepoint", "utf8.codes",
    "utf8.len", "utf8.offset", "BOARD.ping", "BOARD.set", "BOARD.plan", "BOARD.send", "LOKI.emit",
    "LOKI.log", "LOKI.progress", "LOKI.sleep", "LOKI.call", "LOKI.budget", "LOKI.now",
    "LOKI.array", "LOKI.bytes",
)  # fmt: skip
METAMETHODS = (
    "__index", "__newindex", "__call", "__close", "__gc", "__mode", "__len", "__eq", "__lt",
    "__le", "__concat", "__unm", "__add", "__idiv", "__band", "__tostring", "__name", "__pairs",
    "__metatable",
)  # fmt: skip
OPERATIONS = (
    "{a} + {b}", "{a} .. {b}", "{a} < {b}", "{a} <= {b}", "{a} == {b}", "#{a}", "-{a}", "~{a}",
    "{a}[{b}]", "{a}({b})", "{a}.x", "{a}:n({b})", "{a} // {b}", "{a} & {b}", "{a} ^ {b}",
    "{a} << {b}", "{a} and {b}",
)  # fmt: skip
BLOCKS = (
    "keep(1, pcall(function(...) {0} end, {v}))",
    "keep(2, xpcall(function() {0} end, function(e) keep(3, e) {1} return e end))",
    "keep(3, pcall(coroutine.wrap(function(...) {0} {1} return ... end), {v}))",
    "P[1] = coroutine.create(function(...) {0} end) keep(4, coroutine.resume(P[1], {v}))",
    "P[2] = coroutine.create(function(...) local x <close> = setmetatable({{}}, {{__close = "
    "function(...) keep(1, ...) {0} end}}) coroutine.yield(1) {1} end) "
    "keep(5, coroutine.resume(P[2])) keep(6, pcall(coroutine.close, P[2]))",
    "try(table.sort, {{3, 1, 2, 5, 4}}, function(a, b) {0} return a < b end)",
    "keep(6, pcall(string.gsub, 'abcd', '.', function(...) {0} return {v} end))",
    "keep(7, pcall(load, function() {0} return {v} end, 'l', 't', {v}))",
    "pcall(function() local x <close> = setmetatable({{}}, {{__close = function(...) keep(1, ...) "
    "{0} end}}) {1} end)",
    "do local x <close> = setmetatable({{}}, {{__close = function(...) {0} end}}) {1} end",
    "pcall(function() for k, v in pairs(setmetatable({{}}, {{__pairs = function(t) {0} return "
    "next, t end}})) do {1} end end)",
    "pcall(function() for k, v in coroutine.wrap(function() {0} coroutine.yield({v}) end) do {1} "
    "break end end)",
    "keep(1, try(tostring, setmetatable({{}}, {{__tostring = function() {0} return {v} end}})))",
    "keep(2, try(function() return setmetatable({{}}, {{__index = function(...) {0} return {v} "
    "end}}).x end))",
    "keep(3, try(table.concat, setmetatable({{}}, {{__len = function() {0} return 3 end, "
    "__index = function() {1} return {v} end}})))",
    "for i = 1, 3 do {0} end",
    "for i = 1, 60 do {0} end",
    "pcall(function() local function f(n) if n > 0 then f(n - 1) end {0} end f(150) end)",
    "keep(4, pcall(load('local P, BOARD, LOKI = ... ' .. 'return ' .. try(tostring, {v}))))",
    "print(try(string.format, '%s %q', {v}, {v}))",
)
ENDLESS = (
    "pcall(function() local function f(n) pcall(f, n + 1) {0} end f(1) end)",
    "while true do {0} end",
    "while true do pcall(function() {0} error({v}) end) end",
    "local function f() pcall(f) {0} f() end f()",
    "while true do keep(1, try(string.find, ('x'):rep(1e5), '.-b')) {0} end",
    "while true do coroutine.wrap(function() {0} coroutine.yield() end)() end",
    "while true do P[#P + 1] = {{P}} end",
    "while true do P[#P + 1] = ('x'):rep(1000) .. #P {0} end",
    "while true do print({v}) {0} end",
    "while true do pcall(BOARD.set, BOARD, 'k', {v}) end",
    "while true do pcall(LOKI.emit, {v}) end",
)
MAX_DEPTH = 3


def attack(seed: int) -> str:
    """The program that belongs to a seed. One in twenty-five has no end of its own."""
    writer = _Writer(Random(seed))
    return PROLOGUE + writer.block(0, 7) + EPILOGUE


def mutilated(seed: int, text: str) -> str:
    """`text` with a few pieces of it dropped, doubled, swapped or replaced by others."""
    random = Random(seed)
    pieces = text.split(" ")
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(pieces))
        match random.randrange(4):
            case 0:
                pieces[at] = ""
            case 1:
                pieces.insert(at, pieces[random.randrange(len(pieces))])
            case 2:
                pieces[at] = random.choice(pieces)
            case _:
                pieces[at] = random.choice((*VALUES, "\0", "\x1bLua", "ü", "--[[", "]]", "goto"))
    return " ".join(pieces)


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._statements: tuple[Callable[[], str], ...] = (
            self._call, self._call, self._call, self._operation, self._meta, self._damage,
            self._host,
        )  # fmt: skip

    def block(self, depth: int, most: int) -> str:
        count = self._random.randint(1, most)
        return "".join(self._statement(depth) + "\n" for _ in range(count))

    def _statement(self, depth: int) -> str:
        draw = self._random.random()
        if depth >= MAX_DEPTH or draw < 0.45:
            return self._random.choice(self._statements)()
        templates = ENDLESS if draw > 0.993 else BLOCKS
        return self._random.choice(templates).format(
            self.block(depth + 1, 2), self.block(depth + 1, 2), v=self._value()
        )

    def _value(self) -> str:
        if self._random.random() < 0.3:
            return f"P[{self._random.randint(1, 8)}]"
        return self._random.choice(VALUES)

    def _values(self) -> str:
        return ", ".join(self._value() for _ in range(self._random.randrange(5)))

    def _call(self) -> str:
        function = self._random.choice(FUNCTIONS)
        values = self._values()
        return f"keep({self._random.randrange(8)}, pcall({function}{values and ', '}{values}))"

    def _operation(self) -> str:
        operation = self._random.choice(OPERATIONS).format(a="a", b="b")
        function = f"function(a, b) return {operation} end"
        values = f"{self._value()}, {self._value()}"
        return f"keep({self._random.randrange(8)}, pcall({function}, {values}))"

    def _meta(self) -> str:
        key = self._random.choice(METAMETHODS)
        if self._random.random() < 0.5:
            return f"pcall(rawset, M, '{key}', {self._value()})"
        return f"keep(1, pcall(setmetatable, {self._value()}, {{{key} = {self._value()}}}))"

    def _damage(self) -> str:
        name = self._random.choice(FUNCTIONS)
        table, _, key = name.rpartition(".")
        return f"pcall(rawset, {table or '_G'}, '{key}', {self._value()})"

    def _host(self) -> str:
        call = self._random.choice(
            (
                "BOARD.set, BOARD, {a}, {b}",
                "BOARD.read, BOARD, {a}",
                "BOARD.plan, BOARD, {a}, {b}",
                "BOARD.send, BOARD, {a}",
                "function() return BOARD[{a}](BOARD, {b}) end",
                "function() return LOKI[{a}]({b}) end",
                "LOKI.emit, {a}",
                "LOKI.call, {a}, {b}",
                "LOKI.log, 'info', {a}",
            )
        )
        call = call.format(a=self._value(), b=self._value())
        return f"keep({self._random.randrange(8)}, pcall({call}))"
