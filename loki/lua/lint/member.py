"""Rules about members: of the children and `loki`, of Lua's library tables, of `params`."""

from loki.core.name import suggest
from loki.lua.lint.contract import PARAMS, Contract, separator
from loki.lua.lint.report import Findings
from loki.lua.lint.scope import Names
from loki.lua.lint.standard import ELSEWHERE, LIBRARIES, elsewhere
from loki.lua.lint.syntax import Node, nodes
from loki.lua.lint.use import is_assigned, is_tested, member


class Members:
    """Every `table.name` and `table:name` whose table is a global that the script leaves alone."""

    def __init__(self, root: Node, names: Names) -> None:
        own = {node.text for node in names.writes}
        self.all: list[tuple[Node, str, str]] = []
        self._changed: set[str] = set()
        for node in nodes(root, "dot_index_expression", "method_index_expression"):
            found = member(node)
            if found and names.is_global(found[0]) and found[0].text not in own:
                table, name = found[0].text, found[1].text
                self.all.append((node, table, name))
                if is_assigned(node):
                    self._changed.add(f"{table}.{name}")

    def is_own(self, table: str, name: str) -> bool:
        """Whether the script itself sets that member."""
        return f"{table}.{name}" in self._changed


def check_members(members: Members, contract: Contract, findings: Findings) -> None:
    """Report members that are not there."""
    for node, table, name in members.all:
        if table in contract.bindings:
            _check_module(node, table, name, contract, findings)
        elif not members.is_own(table, name):
            _check_table(node, table, name, contract, findings)


def _check_module(
    node: Node, module: str, name: str, contract: Contract, findings: Findings
) -> None:
    if is_assigned(node):
        findings.error(node, "sealed", f"{module} cannot be changed")
    elif name not in contract.members(module):
        text = f"{module} has no function '{name}'{_instead(module, name, contract)}"
        findings.error(node, "unknown-function", text)


def _instead(module: str, name: str, contract: Contract) -> str:
    if name in contract.offered:
        return f"; it is {contract.offered[name]}"
    members = contract.members(module)
    return suggest(name, members) or f"; it has {', '.join(sorted(members))}"


def _check_table(node: Node, table: str, name: str, contract: Contract, findings: Findings) -> None:
    if table == PARAMS:
        known = contract.parameters
        if contract.tool and name not in known:
            tool = contract.tool.name
            text = f"'{tool}' has no parameter '{name}'{_parameters(name, known)}"
            findings.nil(node, "unknown-parameter", text, unsure=is_tested(node))
    elif table in LIBRARIES:
        if name not in LIBRARIES[table]:
            _missing(node, table, name, contract, findings)
    elif table not in contract.globals and f"{table}.{name}" in ELSEWHERE:
        _missing(node, table, name, contract, findings)


def _parameters(name: str, known: frozenset[str]) -> str:
    has = f"; it has {', '.join(sorted(known))}" if known else "; it has none"
    return suggest(name, known) or has


def _missing(node: Node, table: str, name: str, contract: Contract, findings: Findings) -> None:
    full, tested = f"{table}.{name}", is_tested(node)
    if full in ELSEWHERE and tested:
        return
    hint = f"; {elsewhere(full, contract.offered)}" if full in ELSEWHERE else ""
    near = hint or suggest(name, LIBRARIES.get(table, ()))
    findings.nil(node, "unknown-member", f"scripts have no '{full}'{near}", unsure=tested)


def called_as(module: str, name: str) -> str:
    """Such as "fenrir:gpio_read"."""
    return f"{module}{separator(module)}{name}"
