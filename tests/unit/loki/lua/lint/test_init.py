"""The lint as a whole: order, sources that it cannot read."""

import pytest

from loki.errors import CompilationError
from loki.lua import lint as package
from loki.lua.lint import EMPTY, UNREAD, Contract, Severity, examine, lint
from loki.messages.script import Script
from tests.unit.loki.lua.test_conformance import written


def test_findings_come_in_the_order_of_their_places() -> None:
    found = lint("string.rep(xyzzy)\nmath.foor(plugh)", Contract(()))
    assert [(f.line, f.column) for f in found] == [(1, 1), (1, 12), (2, 1), (2, 11)]


def test_without_the_parser_it_says_that_it_did_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "find_spec", lambda _name: None)
    assert lint("xyzzy()", Contract(())) == (UNREAD,)


def test_what_only_lua_understands_is_passed_over() -> None:
    assert lint("local = no grammar knows this", Contract(())) == ()


def test_a_refused_source_without_a_line_is_told_at_its_start() -> None:
    def refuse(script: Script) -> None:
        raise CompilationError("a: too large", details={"line": "0"})

    (found,) = examine(Script(name="a", source="", chunk="a"), Contract(()), refuse)
    assert (found.line, found.column, found.message) == (1, 1, "a: too large")


@pytest.mark.parametrize("source", ["", " \n", "-- later\n", '--- loki:\n--- name = "a"\n'])
def test_a_script_without_code_is_hardly_meant(source: str) -> None:
    assert lint(source, Contract(())) == (EMPTY,)


MISUSES = {
    "coroutine: arguments are checked",
    "error: arguments of library functions",
    "error: errors name what they are about",
    "error: lines of multi-line statements",
    "function: methods that are not there",
    "number: arithmetic on what is no number",
}
"""Programs that do wrong on purpose, to see the error."""


def test_of_programs_that_work_it_says_nothing() -> None:
    wrong = {
        name
        for name, source in written().items()
        if any(found.severity is Severity.ERROR for found in lint(source, Contract(())))
    }
    assert wrong == MISUSES
