"""What a script does with a name that it reads."""

from collections.abc import Iterator

import pytest

from loki.lua.lint.syntax import Node, parse
from loki.lua.lint.use import call_of, is_assigned, is_tested, member, plain_text


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def named(source: str, text: str = "x") -> Node:
    """The outermost node with this text."""
    root = parse(source)
    assert root is not None
    wanted = ("identifier", "dot_index_expression", "method_index_expression")
    return next(node for node in walk(root) if node.text == text and node.kind in wanted)


@pytest.mark.parametrize(
    ("source", "tested"),
    [
        ("if x then end", True),
        ("if a then elseif x then end", True),
        ("while (x) do end", True),
        ("repeat until x", True),
        ("return x or 1", True),
        ("return not x", True),
        ("return x == nil", True),
        ("return type(x)", True),
        ("return x == 1", False),
        ("return x + 1", False),
        ("return tostring(x)", False),
        ("return x", False),
    ],
)
def test_whether_nil_is_as_good_as_any_value(source: str, tested: bool) -> None:
    assert is_tested(named(source)) is tested


@pytest.mark.parametrize(
    ("source", "assigned"),
    [("x = 1", True), ("function x() end", True), ("return x", False), ("y = x", False)],
)
def test_whether_it_gets_a_value(source: str, assigned: bool) -> None:
    assert is_assigned(named(source)) is assigned


def test_a_call_is_found_from_its_function_only() -> None:
    assert call_of(named("x(1)")) is not None
    assert call_of(named("f(x)")) is None


@pytest.mark.parametrize("text", ["x.y", "x:y"])
def test_a_member_of_a_plain_name(text: str) -> None:
    found = member(named(f"return {text}()", text))
    assert found is not None
    assert [node.text for node in found] == ["x", "y"]


def test_a_member_of_a_value_is_none() -> None:
    assert member(named("return f().y", "f().y")) is None
    assert member(named("return x")) is None


@pytest.mark.parametrize(
    ("literal", "text"),
    [("'a b'", "a b"), ('""', ""), ("[[long]]", "long"), (r"'\x41'", None), ("5", None)],
)
def test_the_text_of_a_literal_is_known_where_it_has_no_escapes(
    literal: str, text: str | None
) -> None:
    root = parse(f"return {literal}")
    assert root is not None
    node = next(each for each in walk(root) if each.kind in ("string", "number"))
    assert plain_text(node) == text
