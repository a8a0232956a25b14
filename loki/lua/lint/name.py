"""Rules about names: those that nothing defines, and those that become global by accident."""

from loki.core.name import suggest
from loki.lua.lint.contract import Contract
from loki.lua.lint.report import Findings
from loki.lua.lint.scope import Names
from loki.lua.lint.standard import ELSEWHERE, elsewhere
from loki.lua.lint.syntax import Node
from loki.lua.lint.use import is_tested, member

CONSTANTS = {"true", "false", "nil"}
OPEN = ("load", "require")
"""Functions by which a script may define names that its own text does not show."""


def check_names(names: Names, contract: Contract, findings: Findings) -> None:
    """Report unknown globals where they are read, accidental ones where they are first set."""
    read = {node.text for node in names.reads}
    written = {node.text for node in names.writes}
    if "_ENV" in read | written | names.local:
        return  # It decides itself what its globals are.
    known = contract.globals | written | _fields_of_globals(names)
    unsure = _is_open(names)
    for node in names.reads:
        if node.text not in known:
            _unknown(node, known | names.local, contract, findings, unsure)
    for node in _first_assignments(names):
        if node.text not in contract.globals:
            near = "" if node.text in read else suggest(node.text, names.local)
            findings.warning(node, "accidental-global", _accident(node.text, near))


def _accident(name: str, near: str) -> str:
    return f"'{name}' becomes a global; write 'local {name} = ...' where it first gets a value" + (
        near and f"{near}"
    )


def _unknown(
    node: Node, known: frozenset[str], contract: Contract, findings: Findings, unsure: bool
) -> None:
    name, tested = node.text, is_tested(node)
    if tested and name in ELSEWHERE:
        return  # `unpack or table.unpack` is how scripts fit several Luas.
    if _member_hint(node):
        return  # `io.open` is the member's own problem.
    sure = name in ELSEWHERE or name in contract.offered
    text = _remedy(name, known, contract)
    findings.nil(node, "unknown-name", text, unsure=tested or (unsure and not sure))


def _remedy(name: str, known: frozenset[str], contract: Contract) -> str:
    if name in ELSEWHERE:
        return f"scripts have no '{name}'; {elsewhere(name, contract.offered)}"
    if name in contract.offered:
        return f"unknown name '{name}'; write {contract.offered[name]}(...)"
    return f"unknown name '{name}'{suggest(name, known | CONSTANTS)}"


def _member_hint(node: Node) -> bool:
    """Whether there is better advice for what it reads of this name."""
    found = node.parent and member(node.parent)
    return bool(found and found[0] is node and f"{node.text}.{found[1].text}" in ELSEWHERE)


def _first_assignments(names: Names) -> list[Node]:
    """By name. A function is meant to be global when it is not local."""
    first: dict[str, Node] = {}
    for node in names.writes:
        first.setdefault(node.text, node)
    return [node for node in first.values() if node.parent and node.parent.kind == "variable_list"]


def _fields_of_globals(names: Names) -> set[str]:
    """Names that are set as `_G.name`."""
    fields = set()
    for node in names.reads:
        found = node.parent and member(node.parent)
        if node.text == "_G" and found and found[0] is node:
            fields.add(found[1].text)
    return fields


def _is_open(names: Names) -> bool:
    """Whether it may define globals in ways that nobody can read off it."""
    return any(
        node.text in OPEN or (node.text == "_G" and not (node.parent and member(node.parent)))
        for node in names.reads
    )
