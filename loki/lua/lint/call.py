"""Rules about calls: dot or colon, how many arguments, of which type, and what they need."""

from loki.lua.builtin import LEVELS, LOKI
from loki.lua.convert import Argument, Unsendable
from loki.lua.lint.contract import Contract
from loki.lua.lint.member import Members, called_as
from loki.lua.lint.report import Findings
from loki.lua.lint.scope import Names
from loki.lua.lint.standard import FUNCTIONS, LIBRARIES
from loki.lua.lint.syntax import Node, nodes
from loki.lua.lint.use import call_of
from loki.messages.lua_module import LuaFunction, LuaModule, PermissionShape

PUNCTUATION = ("(", ")", ",")
SEVERAL = ("function_call", "vararg_expression")  # As the last argument: any number of values.
EXAMPLES = {
    PermissionShape.LIST: '["..."]',
    PermissionShape.FLAG: "true",
    PermissionShape.MODE: '"rw"',
    PermissionShape.NAME: '"..."',
}


def check_calls(
    root: Node, names: Names, members: Members, contract: Contract, findings: Findings
) -> None:
    """Report calls of known functions that cannot go well."""
    own = {node.text for node in names.writes}
    for call in nodes(root, "function_call"):
        function = call.child("name")
        if function and names.is_global(function) and function.text in FUNCTIONS.keys() - own:
            _check_count(function, call, function.text, findings)
    for node, table, name in members.all:
        call_or_none = call_of(node)
        if call_or_none is None:
            continue
        if table in contract.bindings and name in contract.members(table):
            _Call(node, call_or_none, table, name, contract, findings).check()
        elif table in LIBRARIES and not members.is_own(table, name):
            _check_library(node, call_or_none, table, name, findings)


def arguments_of(call: Node) -> tuple[list[Node], bool]:
    """What is given, and whether the last one may stand for any number of values."""
    holder = call.child("arguments")
    given = [child for child in holder.children if child.kind not in PUNCTUATION] if holder else []
    return given, bool(given) and given[-1].kind in SEVERAL


def _check_library(node: Node, call: Node, table: str, name: str, findings: Findings) -> None:
    if node.kind == "method_index_expression" and name in LIBRARIES[table]:
        text = f"call it with a dot: {table}.{name}(...)"
        findings.error(node, "dot-or-colon", text)
    elif f"{table}.{name}" in FUNCTIONS:
        _check_count(node, call, f"{table}.{name}", findings)


def _check_count(node: Node, call: Node, name: str, findings: Findings) -> None:
    """Lua passes over what is too much, but hardly anybody means that."""
    given, more = arguments_of(call)
    least, most = FUNCTIONS[name]
    if len(given) < least and not more:
        text = f"{name} needs {_arguments(least)}, got {len(given) or 'none'}"
        findings.error(node, "argument-count", text)
    if most is not None and len(given) - more > most:
        text = f"{name} looks at {_arguments(most)} only, got {len(given)}"
        findings.warning(given[most], "argument-count", text)


def _arguments(count: int) -> str:
    return f"{count or 'no'} argument{'' if count == 1 else 's'}"


class _Call:
    """A call of a declared function, while it is checked."""

    def __init__(
        self,
        node: Node,
        call: Node,
        module: str,
        name: str,
        contract: Contract,
        findings: Findings,
    ) -> None:
        self._node, self._module, self._name = node, module, name
        self._contract, self._findings = contract, findings
        self._given, self._more = arguments_of(call)

    def check(self) -> None:
        if not self._is_called_rightly():
            text = f"call it as {called_as(self._module, self._name)}(...)"
            self._findings.error(self._node, "dot-or-colon", text)
        elif function := self._contract.functions.get(called_as(self._module, self._name)):
            self._check_arguments(function)
            self._check_permission(function)

    def _is_called_rightly(self) -> bool:
        """`fenrir.gpio_read(fenrir, 4)` is right too."""
        by_colon = self._node.kind == "method_index_expression"
        if self._module == LOKI.name:
            return not by_colon
        if not by_colon and self._given and self._given[0].text == self._module:
            self._given = self._given[1:]
            return True
        return by_colon

    def _check_arguments(self, function: LuaFunction) -> None:
        binding = self._contract.bindings[self._module][self._name]
        parameters, given = function.parameters, self._given
        if len(given) - self._more > len(parameters):
            count = _arguments(len(parameters))
            text = f"{binding.signature}: takes {count}, got {len(given)}"
            self._findings.error(given[len(parameters)], "argument-count", text)
        single = given[:-1] if self._more else given
        for parameter, node in zip(parameters, single, strict=False):
            known, value = literal(node)
            complaint = binding.complaint(parameter, value) if known else ""
            if complaint:
                self._findings.error(node, "argument-type", complaint)
        for parameter in () if self._more else parameters[len(given) :]:
            if parameter.required:
                text = binding.complaint(parameter, None) or f"{parameter.name} is missing"
                self._findings.error(self._node, "argument-count", text)
        if function.name == "log" and self._module == LOKI.name and given:
            self._check_level(given[0])

    def _check_level(self, node: Node) -> None:
        known, level = literal(node)
        if known and isinstance(level, str) and level not in LEVELS:
            text = f"loki.log(level, text): level must be one of {', '.join(LEVELS)}"
            self._findings.error(node, "argument-value", text)

    def _check_permission(self, function: LuaFunction) -> None:
        tool, key = self._contract.tool, function.permission
        if tool is None or not key or key in tool.permissions:
            return
        example = _example(key, self._contract.modules, self._given)
        text = f"'{tool.name}' may not do this; its permissions must say {key} = {example}"
        self._findings.error(self._node, "permission", text)


def _example(key: str, modules: tuple[LuaModule, ...], given: list[Node]) -> str:
    """A value that would allow it: what the call names, where it does so."""
    shape = next(k.shape for module in modules for k in module.permissions if k.name == key)
    if shape is PermissionShape.LIST and given and given[0].kind in ("number", "string"):
        return f"[{given[0].text}]"
    return EXAMPLES[shape]


def literal(node: Node) -> tuple[bool, Argument]:
    """Whether the value is written there, and the value as the host would get it."""
    match node.kind:
        case "nil":
            return True, None
        case "true" | "false":
            return True, node.kind == "true"
        case "number":
            return _number(node.text)
        case "string":
            content = node.child("content")
            return True, content.text if content else ""
        case "function_definition":
            return True, Unsendable("function")
        case "table_constructor":
            return True, {}
        case "unary_expression":
            return _negative(node)
    return False, None


def _negative(node: Node) -> tuple[bool, Argument]:
    operator, operand = node.child("operator"), node.child("operand")
    if operator is None or operand is None or (operator.kind, operand.kind) != ("-", "number"):
        return False, None
    known, value = _number(operand.text)
    return known, -value if isinstance(value, int | float) else None


def _number(text: str) -> tuple[bool, Argument]:
    """Lua's numerals; a decimal integer of more than 64 bits is a float."""
    lower = text.lower()
    try:
        if lower.startswith("0x"):
            whole = "." not in lower and "p" not in lower
            return True, _wrapped(int(lower, 16)) if whole else float.fromhex(lower)
        whole = lower.isdecimal() and int(lower) < 2**63
        return True, int(lower) if whole else float(lower)
    except ValueError:
        return False, None


def _wrapped(value: int) -> int:
    """As Lua reads a hexadecimal integer of more than 64 bits."""
    return (value + 2**63) % 2**64 - 2**63
