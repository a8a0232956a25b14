"""Reads a script without running it, and tells what will go wrong when it runs.

What it is sure of is an error; what is legal but hardly meant is a warning. It knows what the
sandbox offers, what the children declare, which tools and modules lie beside the script and, for a
tool, its parameters and permissions. It says nothing about what it cannot know, such as the type of
a variable.
"""

import re
from collections.abc import Callable
from importlib.util import find_spec

import msgspec

from loki.errors import CompilationError, pip_install
from loki.lua.lint.call import check_calls
from loki.lua.lint.contract import Contract
from loki.lua.lint.finding import Finding, Severity, place
from loki.lua.lint.member import Members, check_members
from loki.lua.lint.module import check_modules
from loki.lua.lint.name import check_names
from loki.lua.lint.report import Findings
from loki.lua.lint.scope import resolve
from loki.lua.lint.syntax import IGNORED, parse
from loki.lua.lint.tool import check_tool_calls
from loki.messages.script import Script

__all__ = ["Contract", "Finding", "Severity", "examine", "lint", "place"]


MOST_PLACES = 50
"""Of one token in a line that are looked at."""

UNREAD = Finding(
    1,
    1,
    1,
    Severity.WARNING,
    "unread",
    f"only the syntax was checked; for the rest: {pip_install('tree-sitter', 'tree-sitter-lua')}",
)
"""What there is to say where the parser has no wheel and nobody built it."""

EMPTY = Finding(
    1, 1, 2, Severity.WARNING, "empty", "there is no code here: running it does nothing, gives nil"
)


def examine(
    script: Script, contract: Contract, compile: Callable[[Script], object]
) -> tuple[Finding, ...]:
    """All findings; for a script that does not compile, what `compile` says and nothing else."""
    try:
        compile(script)
    except CompilationError as error:
        return (_refused(script, error, compile),)
    return lint(script.source, contract)


def lint(source: str, contract: Contract) -> tuple[Finding, ...]:
    """Findings in source that compiles, in the order of their places."""
    if find_spec("tree_sitter_lua") is None:
        return (UNREAD,)
    root = parse(source)
    if root is None:
        return ()  # Lua takes it, the grammar does not: no ground to say anything.
    if all(child.kind == IGNORED for child in root.children):
        return (EMPTY,)
    names, findings = resolve(root), Findings()
    members = Members(root, names)
    check_names(names, contract, findings)
    check_members(members, contract, findings)
    check_calls(root, names, members, contract, findings)
    check_tool_calls(members, contract, findings)
    check_modules(root, names, contract, findings)
    return findings.sorted()


def _refused(
    script: Script, error: CompilationError, compile: Callable[[Script], object]
) -> Finding:
    """What Lua's compiler says, at the word that it names; else at the end of the line."""
    lines = script.source.splitlines() or [""]
    number = min(max(int(error.details.get("line", "0")), 1), len(lines))
    line = lines[number - 1].rstrip()
    token = _token(error)
    places = _places(token, line)
    if len(places) > 1:
        before = "".join(f"{text}\n" for text in lines[: number - 1])
        ends = (before + line[: at + len(token)] for at in places)
        cut = (msgspec.structs.replace(script, source=source) for source in ends)
        places = [at for at, head in zip(places, cut, strict=True) if _same(head, error, compile)]
    begin, width = (places[0], len(token)) if places else (len(line), 1)
    message = _plain(error)
    return Finding(number, begin + 1, begin + 1 + width, Severity.ERROR, "syntax", message)


def _token(error: CompilationError) -> str:
    """What Lua's message says it stopped at; "" at the end of the source."""
    named = re.search(r"near '(.*)'$", _unexplained(error))
    return named[1] if named else ""


def _plain(error: CompilationError) -> str:
    """Lua's message without its place."""
    return re.sub(r"^.*?:\d+: ", "", error.message.splitlines()[0])


def _unexplained(error: CompilationError) -> str:
    """That, without our hint."""
    return _plain(error).removesuffix(f"; {error.details.get('hint', '')}")


def _places(token: str, line: str) -> list[int]:
    """Where a line has this token; whole words, if it is one. Not more than can be tried."""
    word = re.escape(token)
    if re.fullmatch(r"\w+", token):
        word = rf"\b{word}\b"
    found = [found.start() for found in re.finditer(word, line)] if token else []
    return found[:MOST_PLACES]


def _same(head: Script, error: CompilationError, compile: Callable[[Script], object]) -> bool:
    """Whether the compiler stops at the end of `head` as it did: it never looks further ahead."""
    try:
        compile(head)
    except CompilationError as other:
        return _unexplained(other) == _unexplained(error)
    return False
