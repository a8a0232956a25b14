"""What beginners often mean when Lua refuses: half-sentences to put behind its messages.

A hint is given only where Lua's message and the line itself leave no doubt. Patterns see code
without its strings and comments.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

GLOBALS = (
    "_G _VERSION assert collectgarbage coroutine error getmetatable ipairs load math next os pairs "
    "params pcall print rawequal rawget rawlen rawset require select setmetatable string table "
    "tonumber tostring type utf8 xpcall"
)
"""What every script finds, beside `loki` and the children."""

LIBRARIES = {
    "coroutine": "close create isyieldable resume running status wrap yield",
    "math": "abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min "
    "mininteger modf pi rad random randomseed sin sqrt tan tointeger type ult",
    "os": "clock date difftime time",
    "string": "byte char find format gmatch gsub len lower match pack packsize rep reverse sub "
    "unpack upper",
    "table": "concat insert move pack remove sort unpack",
    "utf8": "char charpattern codepoint codes len offset",
}

WORDS = {
    **dict.fromkeys(("null", "NULL", "None", "undefined"), "Lua's word for nothing is nil"),
    **dict.fromkeys(("True", "False"), "Lua writes true and false in small letters"),
    **dict.fromkeys(("sleep", "wait", "delay"), "loki.sleep(ms) waits"),
    **dict.fromkeys(
        ("io", "dofile", "loadfile"), "scripts reach files by hel:fs_read and hel:fs_write"
    ),
    "package": 'require "name" finds the files of the scripts folder',
    "len": "#x is the length of x",
    "loadstring": "Lua 5.4 calls it load",
    "unpack": "Lua 5.4 calls it table.unpack",
    "math.pow": "write x ^ y",
    "string.gfind": "Lua 5.4 calls it string.gmatch",
    "string.length": "write #s",
    "string.split": "Lua has none; string.gmatch finds the parts",
    "table.getn": "write #t",
    "table.length": "write #t",
    "table.push": "table.insert(t, value) appends",
    **dict.fromkeys(
        ("os.execute", "os.exit", "os.getenv", "os.remove", "os.rename", "os.tmpname"),
        "scripts have only os.time, os.date, os.clock and os.difftime",
    ),
}
"""Names from elsewhere, too far from the right ones to be found by their letters."""

NEAR = 0.75
"""How alike two names must be, 0 to 1; with less, `sensor` would be a misspelt `tostring`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`message`, and `line` or the line `before` it; their groups fill `text`."""

    message: str
    text: str
    line: str = ""
    before: str = ""


_BLOCK = r"^\s*(?:\}\s*)?(?:if|else|elseif|while|for|function|local\s+function)\b.*\{\s*$"
_TARGET = r"(?P<target>[A-Za-z_][\w.]*(?:\[\w+\])*)\s*"
_BRACES = "Lua writes blocks without braces: if ... then ... end"

COMPILE_RULES = (
    Rule("near '!'", "Lua writes ~= for 'not equal'", line="!="),
    Rule("near '!'", "Lua writes 'not' instead of !", line="!"),
    Rule("near '[+]'", "Lua has no ++; write {target} = {target} + 1", line=_TARGET + r"\+\+"),
    Rule("near '[+]'", "Lua has no ++; write {target} = {target} + 1", line=r"\+\+\s*" + _TARGET),
    Rule(
        r"near '(?P<op>[-+*/%^]|//|\.\.)'",
        "Lua has no {given}=; write {target} = {target} {given} ...",
        line=_TARGET + r"(?P<given>[-+*/%^]|//|\.\.)=(?!=)",
    ),
    Rule("near '&'", "Lua writes 'and' instead of &&", line="&&"),
    Rule("near '[|]'", "Lua writes 'or' instead of ||", line=r"\|\|"),
    Rule("near '[?]'", "Lua has no ? :; write (condition and this or that)"),
    Rule("expected|unexpected symbol", _BRACES, line=_BLOCK),
    Rule("expected|unexpected symbol", _BRACES, before=_BLOCK),
    Rule("syntax error", "Lua writes elseif", line=r"^\s*(?:elif|elsif)\b"),
    Rule("'then' expected near '='", "= assigns; == compares"),
    Rule("'then' expected", "the condition of an if or elseif ends with 'then'"),
    Rule("'do' expected", "the head of a while or for loop ends with 'do'"),
    Rule("syntax error near '=='", "== compares; = assigns"),
    Rule(
        "syntax error",
        "Lua writes local instead of {word}",
        line=r"^\s*(?P<word>var|let|const)\s+[A-Za-z_]",
    ),
    Rule(
        "syntax error",
        "Lua writes function name(...) ... end",
        line=r"^\s*(?:def|func|fn|fun)\s+[A-Za-z_]",
    ),
    Rule(
        "syntax error",
        'write local name = require "name"',
        line=r"^\s*(?:import|include|from|using)\s+[A-Za-z_]",
    ),
    Rule(
        "syntax error",
        "Lua has no continue; use goto continue, with ::continue:: before the loop's end",
        line=r"\bcontinue\s*;?\s*(?:end\b|$)",
    ),
    Rule(
        "syntax error",
        "Lua has no continue; use goto continue, with ::continue:: before the loop's end",
        before=r"(?:^|\s)continue\s*;?\s*$",
    ),
    Rule("near '#'", "comments begin with --", line=r"^\s*#"),
    Rule("near '/'", "comments begin with --", line=r"^\s*/\*"),
    Rule("near '//'", "comments begin with --", line=r"^\s*//"),
    Rule(r"unexpected symbol near '\['", "Lua writes lists as {{1, 2, 3}}", line=r"[=(,{]\s*\["),
    Rule(
        r"unexpected symbol near '\['",
        "Lua writes lists as {{1, 2, 3}}",
        line=r"\b(in|return)\s*\[",
    ),
    Rule("<name> expected", "fields are written {{name = value}}", line=r"[{,]\s*\w+\s*:"),
    Rule(
        "malformed number",
        "write for {name} = {first}, {last} do",
        line=r"\bfor\s+(?P<name>\w+)\s+in\s+(?P<first>\d+)\s*\.\.\s*(?P<last>\d+)",
    ),
    Rule(r"<name> expected near '\('", "write for i = 1, n do ... end", line=r"^\s*for\s*\("),
    Rule("unfinished string", "a string ends on its line; [[...]] goes over several"),
    Rule(
        "<eof> expected near 'end'",
        "there is one 'end' too many, or its block lacks 'do', 'then' or 'function'",
    ),
    Rule(
        r"(?:<eof>|'end') expected .*near '(?!end'|else'|elseif')[A-Za-z_]\w*'",
        "return must be the last statement of its block",
        before=r"^\s*return\b",
    ),
)

RUN_RULES = (
    Rule("arithmetic on|attempt to div|attempt to idiv", "comments begin with --", line=r"^\s*//"),
    Rule(
        r"attempt to add a 'string'|attempt to add a '\w+' with a 'string'", "join strings with .."
    ),
    Rule("attempt to concatenate a boolean", "tostring(x) makes a string of it"),
    Rule(
        "compare number with string|compare string with number",
        "tonumber(s) makes a number of a string",
    ),
    Rule(r"nil value \(field '(?:\?|integer index)'\)", "lists begin at 1", line=r"\[\s*0\s*\]"),
    Rule("number has no integer representation", "math.floor(x) gives the whole part"),
    Rule("stack overflow", "a function calls itself without an end"),
)

MOST_LINES, LONGEST_LINE, LONGEST_MESSAGE, MOST_NAMES = 5000, 300, 1000, 500
"""Of a source, and of what is said about it, as far as hints are looked for."""

_NOTHING = re.compile(
    r"attempt to (?P<what>[\w ]+?) a nil value \((?P<kind>global|field) '(?P<name>\w+)'\)"
)
_MISSING = re.compile(r"^[^ ]+\(.*\): \w+ is missing; it must be ")
_PARAMETER = re.compile(r"\bparams\.(\w+)")
_OPEN = re.compile(r"'end' expected (?:\(to close '(?P<word>\w+)' at line (?P<line>\d+)\) )?near")
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\[\[.*?\]\]|--.*")


def compile_hint(message: str, source: str, line: int) -> str:
    """For what the compiler said of line `line` of `source`; "" where nothing is certain."""
    message, lines = message[:LONGEST_MESSAGE], _lines(source)
    return _by_rule(COMPILE_RULES, message, lines, line) or _open_block(message, lines)


@dataclass(frozen=True, slots=True)
class Names:
    """What a script can reach in one run, beside Lua's own."""

    modules: Collection[str] = ()  # What its calls go to.
    parameters: Collection[str] | None = ()  # None: any, whatever the caller gives.
    given: Collection[str] = ()  # The parameters that have a value.


def run_hint(message: str, source: str, line: int, names: Names) -> str:
    """The same for an error of a run."""
    message, lines = message[:LONGEST_MESSAGE], _lines(source)
    if hint := _by_rule(RUN_RULES, message, lines, line):
        return hint
    if _MISSING.search(message):
        used = set(_PARAMETER.findall(_code(lines, line))) - set(names.given)
        return _of_parameter(used.pop(), names) if len(used) == 1 else ""
    if _of_empty_module(message, lines):
        return "what require gives is what the module returns, and this one returns no table"
    if found := _NOTHING.search(message):
        name, code = found["name"], _code(lines, line)
        if found["kind"] == "global":
            return _of_global(name, lines, line, (*GLOBALS.split(), *names.modules))
        if re.search(rf"\bparams\.{name}\b", code):
            return _of_parameter(name, names)
        if library := re.search(rf"\b({'|'.join(LIBRARIES)})\.{name}\b", code):
            return _of_library(library[1], name)
    return ""


@dataclass(frozen=True, slots=True)
class Explained:
    """A message with its hint, and both parts of the explanation for machines."""

    message: str
    details: dict[str, str]


def explained(message: str, hint: str, source_line: str, file: str = "") -> Explained:
    """Any part but the message may be empty."""
    details = {"file": file, "source_line": source_line, "hint": hint}
    told = {key: text for key, text in details.items() if text}
    return Explained(f"{message}; {hint}" if hint else message, told)


def line_of(source: str, line: int) -> str:
    """One line of a source without its indentation, at most 200 characters; "" for none."""
    lines = source.splitlines()
    return lines[line - 1].strip()[:200] if 0 < line <= len(lines) else ""


def _lines(source: str) -> list[str]:
    """As far as they are read: no source may cost more than it can gain."""
    return [line[:LONGEST_LINE] for line in source.splitlines()[:MOST_LINES]]


def _code(lines: Sequence[str], line: int) -> str:
    """A line without its comment; what its strings hold becomes nothing."""
    return _STRING.sub(_emptied, lines[line - 1]) if 0 < line <= len(lines) else ""


def _emptied(found: re.Match[str]) -> str:
    return "" if found[0].startswith("--") else "''"


def _by_rule(rules: Sequence[Rule], message: str, lines: Sequence[str], line: int) -> str:
    code, before = _code(lines, line), ""
    for number in range(line - 1, 0, -1):
        before = _code(lines, number)
        if before.strip():
            break
    for rule in rules:
        said = re.search(rule.message, message)
        here, there = re.search(rule.line, code), re.search(rule.before, before)
        if said and here and there:
            return rule.text.format(**said.groupdict(), **here.groupdict())
    return ""


def _open_block(message: str, lines: Sequence[str]) -> str:
    found = _OPEN.search(message)
    if not found:
        return ""
    for number in range(1, len(lines) + 1):
        if re.search(r"\belse\s+if\b", _code(lines, number)):
            return f"'else if' at line {number} opens an if with an end of its own; use elseif"
    return f"the '{found['word']}' of line {found['line']} has no end" if found["line"] else ""


def _of_global(name: str, lines: Sequence[str], line: int, known: Collection[str]) -> str:
    if name in WORDS:
        return WORDS[name]
    for number in range(line + 1, len(lines) + 1):
        if re.search(rf"\bfunction\s+{name}\s*\(", _code(lines, number)):
            return f"'{name}' is defined at line {number}, which comes later"
    own = re.findall(r"\bfunction\s+(\w+)\s*\(|\blocal\s+(\w+)\s*=", "\n".join(lines))
    return _did_you_mean(name, (*known, *(one or other for one, other in own[:MOST_NAMES])))


def _of_empty_module(message: str, lines: Sequence[str]) -> bool:
    found = re.search(r"a boolean value \((?:local|upvalue|global) '(\w+)'\)", message)
    numbers = range(1, len(lines) + 1) if found else ()
    required = rf"\b{found[1]}\s*=\s*require\b" if found else ""
    return any(re.search(required, _code(lines, number)) for number in numbers)


def _of_library(library: str, name: str) -> str:
    full = f"{library}.{name}"
    return WORDS.get(full) or _did_you_mean(
        full, [f"{library}.{other}" for other in LIBRARIES[library].split()]
    )


def _of_parameter(name: str, names: Names) -> str:
    known = names.given if names.parameters is None else names.parameters
    if name in known:
        return f"the caller left '{name}' out: give it a default, or test it for nil"
    near = _did_you_mean(f"params.{name}", [f"params.{other}" for other in known])
    if near or names.parameters is not None:
        return near or f"the script has no parameter '{name}'"
    return f"the caller gave no '{name}'"


def _did_you_mean(name: str, known: Collection[str]) -> str:
    bare = name.rpartition(".")[2]
    choices = {other.rpartition(".")[2]: other for other in known if other != name}
    near = get_close_matches(bare, choices, n=1, cutoff=NEAR)
    return f"did you mean '{choices[near[0]]}'?" if near else ""
