"""Collects findings while rules run, with their places."""

from loki.lua.lint.finding import Finding, Severity, place
from loki.lua.lint.syntax import Node


class Findings:
    """What the rules found in one source so far."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(self, node: Node, severity: Severity, rule: str, message: str) -> None:
        """A problem that `node` is."""
        begin = node.source.rfind(b"\n", 0, node.start) + 1
        over = node.source.find(b"\n", node.start, node.end)
        end = node.end if over < 0 else over
        column = _characters(node.source[begin : node.start]) + 1
        width = _characters(node.source[node.start : end])
        self._found.append(Finding(node.row + 1, column, column + width, severity, rule, message))

    def error(self, node: Node, rule: str, message: str) -> None:
        self.add(node, Severity.ERROR, rule, message)

    def warning(self, node: Node, rule: str, message: str) -> None:
        self.add(node, Severity.WARNING, rule, message)

    def nil(self, node: Node, rule: str, message: str, *, unsure: bool) -> None:
        """`node` is nil for ever: an error, unless the script may know that or have changed it."""
        self.add(node, Severity.WARNING if unsure else Severity.ERROR, rule, message)

    def sorted(self) -> tuple[Finding, ...]:
        return tuple(sorted(self._found, key=place))


def _characters(text: bytes) -> int:
    return len(text.decode(errors="replace"))
