"""Rules about `loki.call`: that the tool is there, may be called, and gets what it asks for."""

from collections.abc import Iterator

from loki.core.name import suggest
from loki.core.run import call
from loki.core.run.argument import bind, fit
from loki.errors import InvalidArgument, PermissionRefused
from loki.lua.builtin import LOKI
from loki.lua.convert import Unsendable
from loki.lua.lint.call import arguments_of, literal
from loki.lua.lint.contract import Contract
from loki.lua.lint.member import Members
from loki.lua.lint.report import Findings
from loki.lua.lint.syntax import Node, nodes
from loki.lua.lint.use import call_of, plain_text
from loki.messages.script import Parameter, Script, ValueType

NESTED = (ValueType.OBJECT, ValueType.ARRAY, ValueType.ANY)


def check_tool_calls(members: Members, contract: Contract, findings: Findings) -> None:
    """Report calls of tools by a name that is written there. Other names nobody can know."""
    for node, table, name in members.all:
        called = call_of(node)
        if called is None or (table, name) != (LOKI.name, "call"):
            continue
        given, _ = arguments_of(called)
        tool = plain_text(given[0]) if given else None
        if tool is not None:
            _check_permission(given[0], tool, contract, findings)
            _check_call(given, tool, contract, findings)


def _check_permission(node: Node, tool: str, contract: Contract, findings: Findings) -> None:
    if contract.tool is None:
        return
    try:
        call.require(contract.tool, tool)
    except PermissionRefused as error:
        wanted = error.details["allow_with"]
        text = f"'{contract.tool.name}' may not call '{tool}'; its permissions must say {wanted}"
        findings.error(node, "permission", text)


def _check_call(given: list[Node], name: str, contract: Contract, findings: Findings) -> None:
    if contract.tools is None:
        return
    tool = contract.tools.get(name)
    if tool is None:
        hint = suggest(name, contract.tools) or "; a server needs it registered"
        text = f"'{name}' is not among the tools of this config{hint}"
        findings.warning(given[0], "unknown-tool", text)
    elif len(given) < 2 or given[1].kind == "nil":
        _check_missing(given[0], tool, set(), findings)
    elif given[1].kind == "table_constructor":
        _check_arguments(given[1], tool, findings)


def _check_arguments(table: Node, tool: Script, findings: Findings) -> None:
    parameters = {parameter.name: parameter for parameter in tool.parameters}
    named, whole = {}, True
    for name, key, value in _fields(table):
        if name is not None:
            named[name] = value
            _check_argument(name, key, value, parameters.get(name), tool, findings)
        elif key is value and value.kind != "nil" and literal(value)[0]:
            findings.error(value, "argument-name", f"arguments have names: {_example(tool)}")
            return
        else:
            whole = False  # There may be more than anybody can read there.
    if whole:
        given = {name for name, value in named.items() if value.kind != "nil"}
        _check_missing(table, tool, given, findings)


def _example(tool: Script) -> str:
    names = ", ".join(f"{parameter.name} = ..." for parameter in tool.parameters)
    return f'loki.call("{tool.name}", {{ {names} }})' if names else f"'{tool.name}' takes none"


def _fields(table: Node) -> Iterator[tuple[str | None, Node, Node]]:
    """Name, key and value; no name where it is not written there, the value as key without any."""
    for field in nodes(table, "field"):
        if field.parent is not table:
            continue
        key, value = field.child("name"), field.child("value")
        assert value is not None  # noqa: S101  # The grammar has no field without one.
        if key is None:
            yield None, value, value
        elif field.children[0].kind == "[":
            yield plain_text(key), key, value
        else:
            yield key.text, key, value


def _check_argument(
    name: str,
    key: Node,
    value: Node,
    parameter: Parameter | None,
    tool: Script,
    findings: Findings,
) -> None:
    if value.kind == "nil":
        return  # As if it were not there.
    if parameter is None:
        findings.error(key, "unknown-parameter", _refusal(tool, name))
    elif complaint := _complaint(parameter, value):
        findings.error(value, "argument-type", f"'{tool.name}': {complaint}")


def _refusal(tool: Script, name: str) -> str:
    """As a run would say it."""
    try:
        bind(tool, {name: True})
    except InvalidArgument as error:
        return error.message
    raise ValueError(f"'{tool.name}' has a parameter '{name}'")


def _complaint(parameter: Parameter, node: Node) -> str:
    """What a run would say against a value that is written there, or nothing."""
    known, value = literal(node)
    if not known:
        return ""
    if isinstance(value, Unsendable):
        return f"argument '{parameter.name}': a {value} is no value to send"
    if node.kind == "table_constructor":
        if parameter.type in NESTED:
            return ""
        return f"argument '{parameter.name}': expected {parameter.type.value}, got a table"
    try:
        fit(parameter, value)
    except InvalidArgument as error:
        return error.message
    return ""


def _check_missing(node: Node, tool: Script, given: set[str], findings: Findings) -> None:
    for parameter in tool.parameters:
        if parameter.required and parameter.name not in given:
            text = f"'{tool.name}' requires the argument '{parameter.name}'"
            findings.error(node, "argument-count", f"{text} ({parameter.type.value})")
