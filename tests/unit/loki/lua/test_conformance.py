"""Scripts against plain Lua: the same source prints, returns and fails the same in both.

Programs are in conformance/*.lua, one behind each line `--@ what it is about`, and generated.
"""

import re
import struct
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from loki.core.run.engine import Failed, Finished
from loki.errors import CompilationError
from loki.messages.value import ScriptValue
from tests.generator.program import program

FOLDER = Path(__file__).parent
CHUNK = "probe.lua"
GENERATED = 500
TIMEOUT_S = 60
MARK = b"\0next\0"
VARYING = re.compile(r"\b0[xX][0-9a-fA-F]{6,12}|-nan")
"""Addresses, and a sign that depends on who computes it: the compiler or the machine."""

Reference = Callable[[str], tuple[str, str]]


class Difference(NamedTuple):
    """Meant, for a reason: how `source` ends in a script, and in plain Lua."""

    reason: str
    source: str
    ours: str
    plain: str


def written() -> dict[str, str]:
    """Name -> source of the programs in the folder."""
    programs = {}
    for path in sorted((FOLDER / "conformance").glob("*.lua")):
        for part in path.read_text().split("--@ ")[1:]:
            title, _, source = part.partition("\n")
            programs[f"{path.stem}: {title}"] = source
    return programs


PROGRAMS = written() | {f"generated {seed}": program(seed) for seed in range(GENERATED)}


def plain(sources: list[str]) -> list[tuple[str, str]]:
    """What each program prints in Debian's Lua, and how it ends."""
    packed = b"".join(struct.pack("<I", len(raw)) + raw for raw in map(str.encode, sources))
    done = subprocess.run(
        ["lua5.4", FOLDER / "reference.lua", CHUNK],
        input=packed,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    assert not done.returncode, done.stderr.decode()
    parts = [part.decode(errors="replace") for part in done.stdout.split(MARK)[:-1]]
    assert len(parts) == 2 * len(sources), done.stderr
    return list(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="session")
def reference(need: Callable[..., None]) -> Reference:
    """`reference(source)` for every program above: one process runs them all."""
    need("lua5.4", "plain Lua, to compare with; try: apt-get install lua5.4")
    outcomes = dict(zip(PROGRAMS.values(), plain(list(PROGRAMS.values())), strict=True))
    return outcomes.__getitem__


def described(value: ScriptValue) -> str:
    """As reference.lua describes it."""
    match value:
        case None:
            return "nil"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.17g}f"
        case str():
            return f"'{value}"
        case list():
            return f"[{','.join(map(described, value))}]"
        case dict():
            parts = (f"{key}={described(item)}" for key, item in value.items())
            return f"{{{','.join(sorted(parts))}}}"
    return str(value)


def without_hint(message: str, details: dict[str, str]) -> str:
    return message.removesuffix(f"; {details.get('hint', '')}")


def ours(play, source: str) -> tuple[str, str]:
    try:
        run = play(source, max_output_kb=0, max_memory_mb=128, compiled=True)
    except CompilationError as error:
        return "", f"error {without_hint(error.message.splitlines()[0], error.details)}"
    match run.end:
        case Finished(value):
            return run.output, f"value {described(value)}"
        case Failed(message=message, details=details):
            return run.output, f"error {without_hint(message, dict(details))}"
    raise AssertionError(run.end)


def comparable(outcome: tuple[str, str]) -> list[str]:
    return [
        VARYING.sub(lambda found: "nan" if found[0] == "-nan" else "ADDRESS", text)
        for text in outcome
    ]


def test_what_is_generated_is_lua_and_mostly_runs(play):
    outcomes = [ours(play, PROGRAMS[f"generated {seed}"])[1] for seed in range(GENERATED)]
    ends = Counter(outcome.partition(" ")[0] for outcome in outcomes)
    assert ends["value"] > GENERATED / 3
    assert [text for text in outcomes if re.search(r"error .* (?:near|expected) ", text)] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_s_4_2_1_scripts_see_the_lua_they_know(play, reference: Reference, name: str):
    source = PROGRAMS[name]
    assert comparable(ours(play, source)) == comparable(reference(source)), source


DIFFERENCES = [
    Difference(
        "what reaches outside is not there",
        "return tostring(io or debug or package or dofile or string.dump or os.exit)",
        "value 'nil",
        "value 'table: ADDRESS",
    ),
    Difference(
        "strings of all scripts share a metatable",
        "return type(getmetatable(''))",
        "value 'boolean",
        "value 'table",
    ),
    Difference(
        "finalizers run where no budget stops them",
        "return (pcall(setmetatable, {}, {__gc = print}))",
        "value false",
        "value true",
    ),
    Difference(
        "the collector's pace is the host's business",
        "return (pcall(collectgarbage, 'stop'))",
        "value false",
        "value true",
    ),
    Difference(
        "compiled chunks can break out of Lua",
        "return #string.dump(function() end) > 0 and load(string.dump(load('return 1')))()",
        "error probe.lua:1: attempt to call a nil value (field 'dump')",
        "value 1",
    ),
    Difference(
        "`load` is for small texts",
        "return (select(2, load(('--' .. ('x'):rep(1022)):rep(257))))",
        "value 'chunk is larger than 256 KiB",
        "value nil",
    ),
    Difference(
        "only Lua itself may say that memory is out",
        "return select(2, pcall(error, 'not enough memory', 0))",
        "value 'not enough memory (raised by the script)",
        "value 'not enough memory",
    ),
    Difference(
        "a result must have a form outside of Lua",
        "return print",
        "error result: a function cannot leave a script",
        "value function: ADDRESS",
    ),
    Difference(
        "the chunk has a local of its own, so that `return f()` keeps its line",
        "\n".join(f"local v{n}" for n in range(200)),
        "error probe.lua:200: too many local variables (limit is 200) in main function near <eof>",
        "value nil",
    ),
    Difference(
        "wrapped functions are Lua's: called last they replace their caller, whose line is lost",
        "return select(2, pcall(function() return error('x') end))",
        "value 'x",
        "value 'probe.lua:1: x",
    ),
    Difference(
        "wrapped functions are Lua's: `error` itself takes part in levels",
        "return select(2, pcall(error, 'x', 2))",
        "value 'x",
        "value 'probe.lua:1: x",
    ),
    Difference(
        "Debian's Lua still takes `not (b < a)` for `a <= b`, as Lua 5.3 did",
        "return (pcall(function() local t = setmetatable({}, {__lt = print}) return t <= t end))",
        "value false",
        "value true",
    ),
    Difference(
        "Debian's Lua is 5.4.4, which counts this argument wrongly",
        "return select(2, pcall(table.remove, {}, 7))",
        "value 'bad argument #2 to 'table.remove' (position out of bounds)",
        "value 'bad argument #1 to 'table.remove' (position out of bounds)",
    ),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.reason)
def test_s_4_2_1_where_scripts_differ_from_plain_lua_it_is_meant(
    play, reference: Reference, difference: Difference
):
    (_, got), (_, plainly) = ours(play, difference.source), plain([difference.source])[0]
    assert comparable(("", got))[1] == difference.ours
    assert comparable(("", plainly))[1] == difference.plain
