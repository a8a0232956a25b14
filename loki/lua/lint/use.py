"""How a script uses a value that it reads: calls it, only asks whether it is there, changes it."""

from loki.lua.lint.syntax import Node

CONDITIONS = ("if_statement", "elseif_statement", "while_statement", "repeat_statement")
INDEXES = ("dot_index_expression", "method_index_expression", "bracket_index_expression")


def call_of(node: Node) -> Node | None:
    """The call whose function `node` is."""
    parent = node.parent
    is_function = parent and parent.kind == "function_call" and node.role == "name"
    return parent if is_function else None


def is_tested(node: Node) -> bool:
    """Whether nil is as good as any value here: in a condition, `x or y`, `x == nil`, type(x)."""
    while node.parent and node.parent.kind == "parenthesized_expression":
        node = node.parent
    parent = node.parent
    if parent is None:
        return False
    if parent.kind in CONDITIONS and node.role == "condition":
        return True
    operator = parent.child("operator")
    if parent.kind in ("unary_expression", "binary_expression") and operator is not None:
        return _is_test(operator.kind, parent)
    return parent.kind == "arguments" and _is_type_call(parent)


def _is_test(operator: str, expression: Node) -> bool:
    if operator in ("==", "~="):
        return any(child.kind == "nil" for child in expression.children)
    return operator in ("and", "or", "not")


def _is_type_call(arguments: Node) -> bool:
    function = arguments.parent and arguments.parent.child("name")
    return bool(function and function.text == "type")


def is_assigned(node: Node) -> bool:
    """Whether a statement gives it a value: `node = ...`, `function node() end`."""
    parent = node.parent
    if parent is None:
        return False
    if parent.kind == "function_declaration":
        return node.role == "name"
    statement = parent.parent
    return parent.kind == "variable_list" and bool(
        statement and statement.kind == "assignment_statement"
    )


def member(node: Node) -> tuple[Node, Node] | None:
    """Table and name of `table.name` and `table:name`, where the table is a plain name."""
    if node.kind not in ("dot_index_expression", "method_index_expression"):
        return None
    table = node.child("table")
    name = node.child("field") or node.child("method")
    if table is None or name is None or table.kind != "identifier":
        return None
    return table, name


def plain_text(node: Node) -> str | None:
    """What a string literal without escapes says; None for anything else."""
    if node.kind != "string":
        return None
    content = node.child("content")
    text = content.text if content else ""
    return None if "\\" in text else text
