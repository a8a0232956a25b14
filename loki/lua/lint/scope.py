"""Which names of a script are locals, and which are globals that it reads or sets.

Theory of operation: the tree is walked once, in the order of the source, with the scopes around the
place on a stack. A local is known from the end of its own statement on (`local x = x` reads the
outer one), a parameter and a loop's variable inside its function or loop, `local function f` inside
itself too. `until` still sees the locals of its block.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from loki.lua.lint.syntax import Node, walk

FUNCTIONS = ("function_declaration", "function_definition")
SCOPES = ("chunk", "block", "for_statement", "repeat_statement", *FUNCTIONS)
CLAUSES = ("for_numeric_clause", "for_generic_clause")
LABELS = ("goto_statement", "label_statement", "attribute")


@dataclass(slots=True)
class Names:
    """All names of one script."""

    reads: list[Node] = field(default_factory=list)  # Of globals.
    writes: list[Node] = field(default_factory=list)  # Of globals: assignments and functions.
    local: set[str] = field(default_factory=set)  # That are a local's anywhere.
    _free: set[int] = field(default_factory=set)

    def is_global(self, node: Node) -> bool:
        """Whether this identifier reads a global."""
        return id(node) in self._free

    def read(self, node: Node) -> None:
        self.reads.append(node)
        self._free.add(id(node))


def resolve(root: Node) -> Names:
    """The names below `root`, which must outlive the answer."""
    names = Names()
    scopes: list[set[str]] = []
    for node, begins in walk(root):
        if begins:
            _enter(node, scopes, names)
        else:
            _leave(node, scopes, names)
    return names


def _enter(node: Node, scopes: list[set[str]], names: Names) -> None:
    if node.kind == "identifier":
        _meet(node, scopes, names)
    if node.kind == "function_declaration" and (name := _local_function(node)):
        _declare(name.text, scopes, names)
    if _opens(node):
        scopes.append(set())
    if node.kind == "function_declaration" and _is_method(node):
        scopes[-1].add("self")


def _leave(node: Node, scopes: list[set[str]], names: Names) -> None:
    if _opens(node):
        scopes.pop()
    elif node.kind == "variable_declaration" or node.kind in CLAUSES:
        for name in _declared(node):
            _declare(name.text, scopes, names)


def _opens(node: Node) -> bool:
    if node.kind == "block" and node.parent and node.parent.kind == "repeat_statement":
        return False
    return node.kind in SCOPES and bool(node.children or node.kind != "block")


def _declare(name: str, scopes: list[set[str]], names: Names) -> None:
    scopes[-1].add(name)
    names.local.add(name)


def _meet(node: Node, scopes: list[set[str]], names: Names) -> None:
    """An identifier: part of a declaration, no variable at all, or a use."""
    parent = node.parent
    if parent is None or _is_label(node, parent) or _is_declared(node, parent):
        return
    name = node.text
    if parent.kind == "parameters":
        _declare(name, scopes, names)
    elif any(name in scope for scope in scopes):
        return
    elif _is_target(node, parent):
        names.writes.append(node)
    else:
        names.read(node)


def _is_label(node: Node, parent: Node) -> bool:
    """Whether it names a field, a method or a place, not a variable."""
    if parent.kind == "field":
        return node.role == "name" and parent.children[0].kind != "["
    is_field = node.role == "field" and parent.kind == "dot_index_expression"
    return parent.kind in LABELS or is_field or node.role == "method"


def _is_declared(node: Node, parent: Node) -> bool:
    """Whether it stands where its statement declares a local."""
    if parent.kind == "for_numeric_clause":
        return node.role == "name"
    if parent.kind == "function_declaration":
        return _local_function(parent) is node
    if parent.kind != "variable_list" or parent.parent is None:
        return False
    around = parent.parent
    if around.kind == "assignment_statement" and around.parent is not None:
        around = around.parent
    return around.kind in ("variable_declaration", "for_generic_clause")


def _is_target(node: Node, parent: Node) -> bool:
    return parent.kind == "variable_list" or (
        parent.kind == "function_declaration" and node.role == "name"
    )


def _declared(node: Node) -> Iterator[Node]:
    """The names that a `local` statement or a loop's clause declares."""
    if node.kind == "for_numeric_clause":
        yield from (child for child in node.children if child.role == "name")
        return
    holder = node.child_of_kind("assignment_statement") or node
    names = holder.child_of_kind("variable_list")
    yield from (child for child in names.children if child.role == "name") if names else ()


def _local_function(node: Node) -> Node | None:
    """The name of `local function NAME`."""
    return node.child("name") if node.children[0].kind == "local" else None


def _is_method(node: Node) -> bool:
    name = node.child("name")
    return name is not None and name.kind == "method_index_expression"
