"""Reads a script without running it, and tells what will go wrong when it runs.

What it is sure of is an error; what is legal but hardly meant is a warning. It knows what the
sandbox offers, what the children declare, which tools and modules lie beside the script and, for a
tool, its parameters and permissions. It says nothing about what it cannot know, such as the type of
a variable.
"""

import re
from collections.abc import Callable
from importlib.util import find_spec

from loki.errors import CompilationError
from loki.lua.lint.call import check_calls
from loki.lua.lint.contract import Contract
from loki.lua.lint.finding import Finding, Severity, place
from loki.lua.lint.member import Members, check_members
from loki.lua.lint.module import check_modules
from loki.lua.lint.name import check_names
from loki.lua.lint.report import Findings
from loki.lua.lint.scope import resolve
from loki.lua.lint.syntax import parse
from loki.lua.lint.tool import check_tool_calls
from loki.messages.script import Script

__all__ = ["Contract", "Finding", "Severity", "examine", "lint", "place"]


UNREAD = Finding(
    1,
    1,
    1,
    Severity.WARNING,
    "unread",
    "only the syntax was checked; for the rest: pip install tree-sitter tree-sitter-lua",
)
"""What there is to say where the parser has no wheel and nobody built it."""


def examine(
    script: Script, contract: Contract, compile: Callable[[Script], object]
) -> tuple[Finding, ...]:
    """All findings; for a script that does not compile, what `compile` says and nothing else."""
    try:
        compile(script)
    except CompilationError as error:
        return (_refused(script.source, error),)
    return lint(script.source, contract)


def lint(source: str, contract: Contract) -> tuple[Finding, ...]:
    """Findings in source that compiles, in the order of their places."""
    if find_spec("tree_sitter_lua") is None:
        return (UNREAD,)
    root = parse(source)
    if root is None:
        return ()  # Lua takes it, the grammar does not: no ground to say anything.
    names, findings = resolve(root), Findings()
    members = Members(root, names)
    check_names(names, contract, findings)
    check_members(members, contract, findings)
    check_calls(root, names, members, contract, findings)
    check_tool_calls(members, contract, findings)
    check_modules(root, names, contract, findings)
    return findings.sorted()


def _refused(source: str, error: CompilationError) -> Finding:
    """What Lua's compiler says, at the word that it names."""
    lines = source.splitlines() or [""]
    number = min(max(int(error.details.get("line", "0")), 1), len(lines))
    message = re.sub(r"^.*?:\d+: ", "", error.message.splitlines()[0])
    line = lines[number - 1].rstrip()
    named = re.search(r"near '(.*)'", message)
    at = line.rfind(named[1]) if named else -1
    begin, width = (at, len(named[1])) if named and at >= 0 else (len(line), 1)
    return Finding(number, begin + 1, begin + 1 + width, Severity.ERROR, "syntax", message)
