"""Trees: every node knows its text and its place."""

import pytest

from loki.lua.lint.syntax import nodes, parse, walk


def test_nodes_have_text_and_place() -> None:
    root = parse("local a\n  = 'ä', b -- c\n")
    assert root is not None
    (name,) = (node for node in nodes(root, "identifier") if node.text == "b")
    assert (name.row, name.column, name.text) == (1, 10, "b")  # In bytes: an ä has two.


def test_comments_are_no_arguments() -> None:
    root = parse("f(a, -- b\n c)")
    assert root is not None
    (arguments,) = nodes(root, "arguments")
    assert [child.kind for child in arguments.children if child.kind.isalpha()] == [
        "identifier",
        "identifier",
    ]


def test_every_node_is_left_after_its_children() -> None:
    root = parse("return f(x)")
    assert root is not None
    left = [node.kind for node, begins in walk(root) if not begins]
    assert left[-1] == "chunk"
    assert left.index("arguments") < left.index("function_call")


@pytest.mark.parametrize("source", ["local = 1", "if x then", "x ="])
def test_what_is_no_lua_has_no_tree(source: str) -> None:
    assert parse(source) is None
