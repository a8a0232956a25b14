"""Places of findings: lines and columns from 1, in characters, never beyond the line."""

import pytest

from loki.lua.lint.finding import Finding, Severity
from loki.lua.lint.report import Findings
from loki.lua.lint.syntax import Node, parse


def first(source: str, kind: str) -> Node:
    """The first node of a kind."""
    root = parse(source)
    assert root is not None
    found = [node for node in walk(root) if node.kind == kind]
    return found[0]


def walk(node: Node) -> list[Node]:
    return [node, *(inner for child in node.children for inner in walk(child))]


@pytest.mark.parametrize(
    ("source", "kind", "place"),
    [
        ("return 12", "number", (1, 8, 10)),
        ("\n\nreturn 12", "number", (3, 8, 10)),
        ("return 'ä', 12", "number", (1, 13, 15)),
        ("f(\n12)", "arguments", (1, 2, 3)),
    ],
)
def test_a_place(source: str, kind: str, place: tuple[int, int, int]) -> None:
    findings = Findings()
    findings.error(first(source, kind), "rule", "message")
    line, column, end = place
    assert findings.sorted() == (Finding(line, column, end, Severity.ERROR, "rule", "message"),)


def test_nil_is_a_warning_where_the_script_may_know() -> None:
    findings = Findings()
    node = first("return 12", "number")
    findings.nil(node, "rule", "sure", unsure=False)
    findings.nil(node, "rule", "unsure", unsure=True)
    assert [found.severity for found in findings.sorted()] == [Severity.ERROR, Severity.WARNING]
