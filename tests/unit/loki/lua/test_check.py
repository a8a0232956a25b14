"""Scripts checked where they stand: in files of their own and inside of tool files."""

from pathlib import Path

import pytest

from loki.lua.check import Checker, Report, accept, file_of
from loki.lua.engine import LuaEngine
from loki.lua.lint import Severity
from loki.tool.file import read_tools
from loki.tool.rule import Rules

CHECKER = Checker(LuaEngine(()).validate, ())


def check(folder: Path, toml: str, **scripts: str) -> tuple[Report, ...]:
    """Reports about a tool file, with `NAME.lua` beside it."""
    for name, source in scripts.items():
        (folder / f"{name}.lua").write_text(source)
    file = folder / "tools.toml"
    file.write_text(toml)
    tools = read_tools([file], Rules(compile=accept))
    assert tools.problems == ()
    return CHECKER.check_tools(tools.scripts)


def pointed_at(report: Report) -> list[str]:
    """What the findings underline."""
    lines = report.text.split("\n")
    return [lines[f.line - 1][f.column - 1 : f.end_column - 1] for f in report.findings]


def tool(script: str, name: str = "a", parameters: str = "") -> str:
    return f'[[tools]]\nname = "{name}"\nreturn_type = "void"\n{parameters}\n{script}\n'


@pytest.mark.parametrize(
    "script",
    [
        "script.inline = 'return xyzzy'",
        "script = { inline = '''\nreturn xyzzy''' }",
        "script = { inline = '''\n-- ä\n\treturn xyzzy\n''' }",
        'script = { inline = """return\n  xyzzy""" }',
    ],
)
def test_an_inline_script_is_underlined_in_its_tool_file(tmp_path: Path, script: str) -> None:
    (report,) = check(tmp_path, tool(script))
    assert report.file == tmp_path / "tools.toml"
    assert pointed_at(report) == ["xyzzy"]


def test_an_inline_script_with_escapes_is_placed_at_its_key(tmp_path: Path) -> None:
    (report,) = check(tmp_path, tool('script.inline = "return\\n\\"\\", xyzzy"'))
    (found,) = report.findings
    assert (found.line, found.message) == (5, "'a', line 2: unknown name 'xyzzy'")


def test_a_script_file_is_reported_as_itself(tmp_path: Path) -> None:
    (report,) = check(tmp_path, tool("script.path = 'a.lua'"), a="return 1,\n  xyzzy")
    assert (report.file, pointed_at(report)) == (tmp_path / "a.lua", ["xyzzy"])


def test_tools_that_share_a_script_are_checked_together(tmp_path: Path) -> None:
    parameters = "parameters = [{ name = 'x', type = 'string' }]"
    toml = tool("script.path = 's.lua'", "a", parameters) + tool("script.path = 's.lua'", "b")
    (report,) = check(tmp_path, toml, s="return params.x, params.y, xyzzy")
    assert pointed_at(report) == ["params.x", "params.y", "params.y", "xyzzy"]
    assert [f.message.split()[0] for f in report.findings[:3]] == ["'b'", "'a'", "'b'"]


def test_a_lone_script_knows_no_parameters() -> None:
    assert CHECKER.check_source(Path("a.lua"), "return params.x").findings == ()


@pytest.mark.parametrize(
    ("source", "underlined", "message"),
    [
        ("local x = = 1", "=", "unexpected symbol near '='"),
        ("if x then\n", "", "'end' expected (to close 'if' at line 1) near <eof>"),
        ("return 'x", "", "unfinished string"),
        ("x = 1\n\nretrun 1", "1", "syntax error near '1'"),
        ("for i = 1, 3 box = x x = 1 end", "box", "'do' expected near 'box'; the head of"),
        ("if x != 3 then end", "!", "'then' expected near '!'; Lua writes"),
        ("local ends end", "end", "<eof> expected near 'end'"),
        ("print('a' 'b')", "'b'", "')' expected near ''b''"),
        ("x = 'it\nreturn", "'it", "unfinished string near ''it'"),
    ],
)
def test_s_14_3_1_a_syntax_error_is_the_only_finding(
    source: str, underlined: str, message: str
) -> None:
    report = CHECKER.check_source(Path("a.lua"), source)
    (found,) = report.findings
    assert found.rule == "syntax"
    assert message in found.message
    assert pointed_at(report)[0] == underlined


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("while x < 3 x = x + 1 end", 13),
        ("local x = = 1", 11),
        ("a = 1\nif a == 1 then a = = 2 end", 20),
        ("f(a b, a b)", 5),
        ("x = 'x x' x y x", 13),
    ],
)
def test_of_several_such_tokens_the_one_is_told_where_lua_stopped(source: str, column: int) -> None:
    (found,) = CHECKER.check_source(Path("a.lua"), source).findings
    assert found.column == column


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("--- loki: return_type = 'void'\nreturn", []),
        ("-- About.\n\n--- loki:\n--- return_type = 'void'\nreturn", []),
        ("local x = 1\n--- loki:\n--- return_type = 'void'\nreturn x", [2]),
        ("--- loki: name = 'a'\nlocal x = 1\n  --- loki:\nreturn x", [3]),
        ("  --- loki: name = 'a'\n", [1]),
        ("--[[ About.\n]]\n--- loki: name = 'a'\n", [3]),
        ("local x = 1 -- see --- loki:\nreturn x", []),
    ],
)
def test_a_header_that_is_not_read_is_told(source: str, lines: list[int]) -> None:
    findings = CHECKER.check_source(Path("a.lua"), source).findings
    assert [found.line for found in findings if found.rule == "stray-header"] == lines
    assert {found.severity for found in findings} <= {Severity.WARNING}


def test_checking_executes_nothing() -> None:
    report = CHECKER.check_source(Path("a.lua"), "while true do end")
    assert report.findings == ()


def test_file_of_a_tool(tmp_path: Path) -> None:
    (tmp_path / "a.lua").write_text("return")
    (tmp_path / "tools.toml").write_text(
        tool("script.path = 'a.lua'") + tool("script.inline = 'return'", "b")
    )
    tools = read_tools([tmp_path / "tools.toml"], Rules(compile=accept))
    assert [file_of(script) for script in tools.scripts] == [tmp_path / "a.lua", None]
