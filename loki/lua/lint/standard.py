"""Lua's own library as scripts have it, what they have not, and what to use instead."""

import re

Arity = tuple[int, int | None]
"""Arguments that a function needs, and those that it looks at; None is any number."""

ANY = None

_PLAIN: dict[str, Arity] = {
    "assert": (1, ANY),
    "collectgarbage": (0, 3),
    "error": (0, 2),
    "getmetatable": (1, 1),
    "ipairs": (1, 1),
    "load": (1, 4),
    "next": (1, 2),
    "pairs": (1, 1),
    "pcall": (1, ANY),
    "print": (0, ANY),
    "rawequal": (2, 2),
    "rawget": (2, 2),
    "rawlen": (1, 1),
    "rawset": (3, 3),
    "require": (1, 1),
    "select": (1, ANY),
    "setmetatable": (2, 2),
    "tonumber": (1, 2),
    "tostring": (1, 1),
    "type": (1, 1),
    "xpcall": (2, ANY),
}

_MEMBERS: dict[str, dict[str, Arity]] = {
    "coroutine": {
        "close": (1, 1),
        "create": (1, 1),
        "isyieldable": (0, 1),
        "resume": (1, ANY),
        "running": (0, 0),
        "status": (1, 1),
        "wrap": (1, 1),
        "yield": (0, ANY),
    },
    "math": {
        **dict.fromkeys(("abs", "acos", "asin", "ceil", "cos", "deg", "exp", "floor"), (1, 1)),
        **dict.fromkeys(("modf", "rad", "sin", "sqrt", "tan", "tointeger", "type"), (1, 1)),
        **dict.fromkeys(("atan", "log"), (1, 2)),
        **dict.fromkeys(("fmod", "ult"), (2, 2)),
        **dict.fromkeys(("max", "min"), (1, ANY)),
        **dict.fromkeys(("random", "randomseed"), (0, 2)),
    },
    "os": {"clock": (0, 0), "date": (0, 2), "difftime": (2, 2), "time": (0, 1)},
    "string": {
        "byte": (1, 3),
        "char": (0, ANY),
        "find": (2, 4),
        "format": (1, ANY),
        "gmatch": (2, 3),
        "gsub": (3, 4),
        "len": (1, 1),
        "lower": (1, 1),
        "match": (2, 3),
        "pack": (1, ANY),
        "packsize": (1, 1),
        "rep": (2, 3),
        "reverse": (1, 1),
        "sub": (2, 3),
        "unpack": (2, 3),
        "upper": (1, 1),
    },
    "table": {
        "concat": (1, 4),
        "insert": (2, 3),
        "move": (4, 5),
        "pack": (0, ANY),
        "remove": (1, 2),
        "sort": (1, 2),
        "unpack": (1, 3),
    },
    "utf8": {
        "char": (0, ANY),
        "codepoint": (1, 4),
        "codes": (1, 2),
        "len": (1, 4),
        "offset": (2, 3),
    },
}

_CONSTANTS = {
    "math": ("huge", "maxinteger", "mininteger", "pi"),
    "utf8": ("charpattern",),
}

FUNCTIONS: dict[str, Arity] = _PLAIN | {
    f"{table}.{name}": arity for table, some in _MEMBERS.items() for name, arity in some.items()
}
"""Every function by its full name, such as "string.rep"."""

LIBRARIES: dict[str, frozenset[str]] = {
    table: frozenset((*some, *_CONSTANTS.get(table, ()))) for table, some in _MEMBERS.items()
}
"""What each library table holds."""

GLOBALS = frozenset((*_PLAIN, *LIBRARIES, "_G", "_VERSION"))

ELSEWHERE: dict[str, str] = {
    "io": "for files there are {fs_read} and {fs_write}, for output print",
    "io.open": "{fs_read} and {fs_write} take a file as a whole",
    "io.read": "a script asks nobody; give it a parameter",
    "io.write": "print writes a line",
    "io.lines": "read the file with {fs_read}, and its lines with string.gmatch",
    "os.execute": "scripts start no programs",
    "os.exit": "return ends a script, error(...) ends it as failed",
    "os.getenv": "scripts see no environment; give the script a parameter",
    "os.remove": "{fs_delete} deletes a file of the script's own",
    "os.rename": "{fs_write} the content under the new name, then {fs_delete} the old one",
    "os.tmpname": "a script has files of its own: {fs_write}",
    "os.setlocale": "scripts have no locale",
    "debug": "an uncaught error shows its line and where it was called; print shows values",
    "dofile": "require(name) loads another file of the scripts folder, once",
    "loadfile": "require(name) loads another file of the scripts folder, once",
    "package": "require(name) loads another file of the scripts folder",
    "warn": 'loki.log("warning", text) writes to the log',
    "string.dump": "scripts are never compiled ahead",
    "unpack": "since Lua 5.2 it is table.unpack",
    "loadstring": "since Lua 5.2 it is load",
    "setfenv": "since Lua 5.2 it is the fourth argument of load",
    "getfenv": "since Lua 5.2 it is _ENV",
    "module": "since Lua 5.2 there is no module",
    "table.getn": "#t is the length of t",
    "table.maxn": "#t is the length of t",
    "table.foreach": "for key, value in pairs(t) do ... end",
    "table.foreachi": "for i, value in ipairs(t) do ... end",
    "string.gfind": "since Lua 5.1 it is string.gmatch",
    "string.trim": 'text:match("^%s*(.-)%s*$") trims',
    "string.split": 'text:gmatch("[^,]+") gives the parts between commas',
    "math.pow": "write x ^ y",
    "math.mod": "write x % y",
    "math.round": "write math.floor(x + 0.5)",
    "math.log10": "write math.log(x, 10)",
    "math.atan2": "since Lua 5.3 it is math.atan(y, x)",
    "math.cosh": "write (math.exp(x) + math.exp(-x)) / 2",
    "math.sinh": "write (math.exp(x) - math.exp(-x)) / 2",
    "math.tanh": "write (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1)",
    "bit32": "since Lua 5.3 there are the operators & | ~ << >>",
    "bit": "since Lua 5.3 there are the operators & | ~ << >>",
    "jit": "scripts run in plain Lua 5.4",
    "ffi": "scripts reach no C functions",
    "arg": "arguments are in params, by name",
    "args": "arguments are in params, by name",
    "sleep": "loki.sleep(ms) waits",
    "wait": "loki.sleep(ms) waits",
    "printf": "print(string.format(...))",
    "null": "Lua calls it nil; loki.null stands for it inside of arrays and objects",
    "None": "Lua calls it nil",
    "undefined": "Lua calls it nil",
    "True": "Lua calls it true",
    "False": "Lua calls it false",
    "len": "#x is the length of x",
    "str": "tostring(x) makes a string",
    "int": "math.tointeger(x) makes an integer",
    "json": "return tables as they are; Loki turns them into the client's values",
}
"""What scripts elsewhere have and scripts here have not, and what stands for it.

{name} is a function that a child may offer.
"""


def elsewhere(name: str, offered: dict[str, str]) -> str:
    """What to use instead of a name that there is not, or "". `offered` is name -> as called."""
    hint = ELSEWHERE.get(name, "")
    return re.sub(r"\{(\w+)\}", lambda found: offered.get(found[1], found[1]), hint)
