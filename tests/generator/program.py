"""Random Lua programs that end soon and print what they do, whatever it is."""

from collections.abc import Callable
from random import Random

from tests.generator.expression import Expressions

PROLOGUE = """\
local function clip(x) if type(x) == 'string' then return (x:sub(1, 30)) end return x end
local function guard(n)
  return setmetatable({}, {__close = function(_, e) print('close', n, e) end})
end
local V = {__add = function(a, b) return 'add' end,
  __index = function(_, k) if math.type(k) ~= 'integer' or k < 3 then return k end end,
  __len = function() return 3 end, __call = function(_, ...) return select('#', ...) end,
  __lt = function(a, b) return true end, __le = function() return 1 end,
  __concat = function() return 'cat' end}
"""
MAX_DEPTH = 3


def program(seed: int) -> str:
    """The source that belongs to a seed. No loop runs long and no string grows large."""
    return _Writer(Random(seed)).program()


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._write = Expressions(random)
        self._names = 0
        self._statements: tuple[Callable[[int], list[str]], ...] = (
            self._local, self._local, self._assign, self._show, self._show, self._show,
            self._branch, self._count, self._while, self._function, self._guarded, self._protected,
            self._generator, self._field, self._each, self._raise, self._object, self._sorted,
            self._loaded,
        )  # fmt: skip

    def program(self) -> str:
        lines = [PROLOGUE]
        for _ in range(self._random.randint(4, 10)):
            draw = self._random.random()
            if draw < 0.7:
                lines += self._protected(1)
            elif draw < 0.97:
                lines += self._kept()
            else:
                lines += self._statement(1)
        if self._random.random() < 0.7:
            lines.append(f"return tostring({self._tried()})")
        return "\n".join(lines) + "\n"

    def _tried(self) -> str:
        """An expression that raises nothing, whatever is in it."""
        return f"(select(2, pcall(function() return {self._write.any(2)} end)))"

    def _kept(self) -> list[str]:
        value, name = self._tried(), self._name()
        self._write.variables.append(name)
        return [f"local {name} = clip({value})"]

    def _name(self) -> str:
        self._names += 1
        return f"v{self._names}"

    def _statement(self, depth: int) -> list[str]:
        if depth > MAX_DEPTH:
            return self._show(depth)
        return self._random.choice(self._statements)(depth)

    def _block(self, depth: int) -> list[str]:
        """Statements in a scope of their own."""
        outer = list(self._write.variables)
        lines = [
            line for _ in range(self._random.randint(1, 3)) for line in self._statement(depth + 1)
        ]
        self._write.variables = outer
        return [f"  {line}" for line in lines]

    def _local(self, depth: int) -> list[str]:
        value, name = self._write.any(2), self._name()
        self._write.variables.append(name)
        return [f"local {name} = clip({value})"]

    def _assign(self, depth: int) -> list[str]:
        if not self._write.variables:
            return self._local(depth)
        target = self._random.choice(self._write.variables)
        return [f"{target} = clip({self._write.any(2)})"]

    def _show(self, depth: int) -> list[str]:
        values = ", ".join(self._write.any(2) for _ in range(self._random.randint(1, 3)))
        return [f"print({values})"]

    def _branch(self, depth: int) -> list[str]:
        test = self._write.of("boolean", 2)
        return [f"if {test} then", *self._block(depth), "else", *self._block(depth), "end"]

    def _count(self, depth: int) -> list[str]:
        name = self._name()
        bounds = self._random.choice(("1, 3", "3, 1, -1", "1, 2, 0.5", "0.0, 1", "2, 1", "1, 3, 2"))
        skip = self._write.of("boolean", 1)
        body = [f"  if {skip} then goto continue end", *self._block(depth)]
        return [f"for {name} = {bounds} do", "  do", *body, "  end", "  ::continue::", "end"]

    def _while(self, depth: int) -> list[str]:
        name = self._name()
        return [
            f"local {name} = 0",
            f"while {name} < 3 do",
            f"  {name} = {name} + 1",
            *self._block(depth),
            f"  if {self._write.of('boolean', 1)} then break end",
            "end",
        ]

    def _function(self, depth: int) -> list[str]:
        name = self._name()
        body = self._block(depth)
        result = self._random.choice(("...", "select('#', ...)", "a, b", self._write.any(2)))
        call = f"{name}({self._write.any(1)}, {self._write.any(1)}, {self._write.any(0)})"
        return [
            f"local function {name}(a, b, ...)",
            *body,
            f"  return {result}",
            "end",
            f"print({call})",
        ]

    def _guarded(self, depth: int) -> list[str]:
        return [
            "do",
            f"  local g <close> = guard({self._random.randrange(9)})",
            *self._block(depth),
            "end",
        ]

    def _protected(self, depth: int) -> list[str]:
        results = ", ".join(self._write.any(1) for _ in range(self._random.randrange(3)))
        handler = self._random.choice(("", "", "", ", function(e) return type(e), e end"))
        opening = f"print({'x' if handler else ''}pcall(function(...)"
        return [opening, *self._block(depth), f"  return {results}", f"end{handler}))"]

    def _generator(self, depth: int) -> list[str]:
        name = self._name()
        yielded = [
            f"  coroutine.yield({self._write.any(1)}, {self._write.any(0)})" for _ in range(2)
        ]
        return [
            f"local {name} = coroutine.create(function(...)",
            yielded[0],
            *self._block(depth),
            yielded[1],
            f"  return {self._write.any(1)}",
            "end)",
            f"for i = 1, 4 do print(coroutine.resume({name}, i), coroutine.status({name})) end",
        ]

    def _field(self, depth: int) -> list[str]:
        name, key = self._name(), self._write.of(self._random.choice(("integer", "string")), 1)
        value = self._write.any(2)
        self._write.variables.append(name)
        return [
            f"local {name} = {self._random.choice(('{}', '{1, 2}', 'setmetatable({}, V)'))}",
            f"{name}[ {key} ] = clip({value})",
            f"print(rawlen({name}), {name}[ {key} ], {name}.x, {name}[1])",
        ]

    def _each(self, depth: int) -> list[str]:
        return [
            f"for i, v in ipairs({self._write.of('table', 1)}) do",
            "  print(i, v)",
            *self._block(depth),
            "end",
        ]

    def _raise(self, depth: int) -> list[str]:
        level = self._random.choice(("", ", 0", ", 1", ", 2"))
        raised = self._random.choice(("'raised'", "42", "nil", "{}", self._write.of("string", 1)))
        return [f"if {self._write.of('boolean', 1)} then error({raised}{level}) end"]

    def _object(self, depth: int) -> list[str]:
        name = self._name()
        self._write.variables.append(name)
        other = self._write.any(1)
        operations = (
            f"{name} + {other}",
            f"{other} + {name}",
            f"{name}.field",
            f"#{name}",
            f"{name}(1, nil)",
            f"{name} < {other}",
            f"{name} .. {other}",
            f"{name} == {other}",
            f"{name} - 1",
            f"{name} <= 2",
        )
        return [
            f"local {name} = setmetatable({{}}, V)",
            f"print({', '.join(self._random.sample(operations, 2))})",
        ]

    def _sorted(self, depth: int) -> list[str]:
        items = ", ".join(self._write.of("integer", 0) for _ in range(self._random.randint(2, 6)))
        order = self._random.choice(("", ", function(a, b) return a > b end"))
        return [
            "do",
            f"  local t = {{{items}}}",
            f"  table.sort(t{order})",
            "  print(table.concat(t, ' '))",
            "end",
        ]

    def _loaded(self, depth: int) -> list[str]:
        environment = self._random.choice(
            ("", ", 't'", ", 't', {}", ", 't', {x = 1, tostring = tostring}")
        )
        quoted = self._write.any(2).replace("\\", "\\\\").replace('"', '\\"')
        return [f'print(pcall(load("return {quoted}", "=l"{environment})))']
