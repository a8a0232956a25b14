"""Random Lua expressions: of a wanted kind mostly, of a wrong one now and then."""

from random import Random

INTEGERS = (
    "0", "1", "-1", "2", "3", "7", "-8", "10", "63", "64", "255", "0xff", "1 << 31", "1 << 62",
    "math.maxinteger", "math.mininteger", "9007199254740993", "'12'", "'0x10'",
)  # fmt: skip
FLOATS = (
    "0.0", "-0.0", "0.5", "-1.5", "2.0", "3.25", "1e15", "2^53", "1e100", "1e308", "-1e-300",
    "math.pi", "math.huge", "-math.huge", "'2.5'", "' 1e1 '",
)  # fmt: skip
STRINGS = (
    "''", "'a'", "'abc'", "'hello world'", "'12'", "'key=value'", "'  pad '", "'a,b,,c'",
    "'(x(y)z)'", "'A1_b2'", "'\\0\\1'", "'grün €'", "'%d'", "'x\\ny'",
    "[=[[[long]]]=]", "'THE end.'",
)  # fmt: skip
BOOLEANS = ("true", "false", "nil", "not nil", "1 == 1.0", "'1' == 1")
TABLES = ("{}", "{1, 2, 3}", "{1, nil, 3}", "{x = 1, y = 'z'}", "{{1}, {2}}", "{3, 1, 2, n = 3}")
OTHERS = ("print", "nil", "unset", "math", "coroutine.create(print)")

PATTERN_ITEMS = (
    ".", "%a", "%d", "%s", "%w", "%p", "%u", "%l", "%x", "[a-c]", "[^%s]", "[%w_]", "a", "b", "l",
    "=", ",", "%%", "%f[%w]", "%b()", "()", "(%a)", "(.)%1", "%", "[", "(",
)  # fmt: skip
PATTERN_SUFFIXES = ("", "", "", "*", "+", "-", "?")
REPLACEMENTS = (
    "'<%0>'",
    "'%1'",
    "''",
    "'%%'",
    "'%2'",
    "{a = 1, l = 'L', [1] = false}",
    "string.upper",
)
FORMATS = (
    "%d", "%5d", "%-5d|", "%05d", "%+d", "%x", "%#X", "%o", "%c", "%e", "%.3f", "%10.2f", "%g",
    "%.14g", "%a", "%s", "%10s", "%-6s|", "%.2s", "%q", "%i", "%%", "%5.1f", "%y", "%",
)  # fmt: skip
MATH = ("floor", "ceil", "sqrt", "abs", "exp", "modf", "max", "min", "fmod", "log", "type")
PACKS = (
    "b", "B", "h", "<H", ">i4", "I3", "j", "i16", "n", "f", "d", "z", "s1", "s", "c3",
    "!4 b i4", ">I2 s1", "i17", "x", "w",
)  # fmt: skip

KINDS = ("integer", "number", "string", "boolean", "table")


class Expressions:
    """Writes expressions over the variables that are in scope."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.variables: list[str] = []
        self._writers = {
            "integer": self._integer,
            "number": self._number,
            "string": self._string,
            "boolean": self._boolean,
            "table": self._table,
        }

    def any(self, depth: int) -> str:
        return self.of(self.random.choice(KINDS), depth)

    def of(self, kind: str, depth: int) -> str:
        """An expression of `kind`, most of the time."""
        draw = self.random.random()
        if draw < 0.06:
            return self.random.choice(OTHERS)
        if draw < 0.25 and self.variables:
            return self.random.choice(self.variables)
        if draw < 0.32:
            kind = self.random.choice(KINDS)
        return self._writers[kind](depth)

    def _operation(self, kind: str, operators: str, depth: int) -> str:
        operator = self.random.choice(operators.split())
        return f"({self.of(kind, depth - 1)} {operator} {self.of(kind, depth - 1)})"

    def _call(self, name: str, *arguments: str) -> str:
        kept = len(arguments) - (self.random.random() < 0.05)
        return f"{name}({', '.join(arguments[:kept])})"

    def _integer(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(INTEGERS)
        match self.random.randrange(8):
            case 0:
                return f"{self.random.choice(('-', '~', '- -'))} {self._integer(0)}"
            case 1:
                return f"#{self.of(self.random.choice(('string', 'table')), depth - 1)}"
            case 2:
                name = self.random.choice(("math.abs", "math.tointeger", "math.floor", "math.ult"))
                return self._call(name, self.of("number", depth - 1), self.of("integer", 0))
            case 3:
                return self._call(
                    "string.byte", self.of("string", depth - 1), self.of("integer", 0)
                )
            case 4:
                return self._call("utf8.len", self.of("string", depth - 1))
            case _:
                return self._operation("integer", "+ - * // % & | ~ << >>", depth)

    def _number(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(FLOATS + INTEGERS)
        match self.random.randrange(7):
            case 0:
                name = f"math.{self.random.choice(MATH)}"
                return self._call(name, self.of("number", depth - 1), self.of("number", 0))
            case 1:
                return self._call("tonumber", self.of("string", depth - 1))
            case 2:
                base = self.random.choice(("2", "8", "16", "36", "37"))
                return self._call("tonumber", self.of("string", 0), base)
            case 3:
                return self._integer(depth)
            case _:
                return self._operation("number", "+ - * / // % ^", depth)

    def _string(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(STRINGS)
        text = self.of("string", depth - 1)
        match self.random.randrange(11):
            case 0:
                name = self.random.choice(("string.upper", "string.reverse", "tostring"))
                return self._call(name, text)
            case 1:
                return self._call("string.sub", text, self.of("integer", 0), self.of("integer", 0))
            case 2:
                times = str(self.random.randrange(-1, 6))
                return self._call("string.rep", text, times, self.random.choice(STRINGS))
            case 3:
                return self._format(depth)
            case 4:
                name = self.random.choice(("string.find", "string.match"))
                return self._call(name, text, self.pattern(), self.random.choice(("1", "2", "-2")))
            case 5:
                replacement = self.random.choice(REPLACEMENTS)
                return self._call("string.gsub", text, self.pattern(), replacement)
            case 6:
                return self._call("table.concat", self.of("table", depth - 1), "','")
            case 7:
                return self._packed(depth)
            case 8:
                return self._call("utf8.char", *(self.of("integer", 0) for _ in range(2)))
            case _:
                return self._operation("string", "..", depth)

    def pattern(self) -> str:
        """A short pattern, some malformed, as a quoted string."""
        items = [
            self.random.choice(PATTERN_ITEMS) + self.random.choice(PATTERN_SUFFIXES)
            for _ in range(self.random.randint(1, 3))
        ]
        anchor = self.random.choice(("", "", "", "^"))
        return f"'{anchor}{''.join(items)}{self.random.choice(('', '', '', '$'))}'"

    def _format(self, depth: int) -> str:
        count = self.random.randint(1, 3)
        form = " ".join(self.random.choice(FORMATS) for _ in range(count))
        arguments = (
            self.of(self.random.choice(("number", "string")), depth - 1) for _ in range(count)
        )
        return self._call("string.format", f"'{form}'", *arguments)

    def _packed(self, depth: int) -> str:
        form = f"'{self.random.choice(PACKS)}'"
        value = self.of(self.random.choice(("integer", "number", "string")), depth - 1)
        if self.random.random() < 0.3:
            return self._call("string.unpack", form, self.of("string", 0))
        return f"string.format('%q', {self._call('string.pack', form, value, value)})"

    def _boolean(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(BOOLEANS)
        match self.random.randrange(4):
            case 0:
                return f"(not {self.any(depth - 1)})"
            case 1:
                kind = self.random.choice(("number", "string", "integer"))
                return self._operation(kind, "< <= > >= == ~=", depth)
            case 2:
                return self._operation("boolean", "and or == ~=", depth)
            case _:
                return self._call("rawequal", self.any(depth - 1), self.any(depth - 1))

    def _table(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice(TABLES)
        match self.random.randrange(4):
            case 0:
                return f"{{{self.any(depth - 1)}, {self.any(depth - 1)}}}"
            case 1:
                key = self.of(self.random.choice(("integer", "string")), 0)
                return f"{{[ {key} ] = {self.any(depth - 1)}, {self.any(0)}}}"
            case 2:
                return self._call("table.pack", self.any(depth - 1), self.any(depth - 1))
            case _:
                return f"{{{self.any(0)}, table.unpack({self.of('table', depth - 1)})}}"
