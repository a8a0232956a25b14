"""check, with the real children and compiler, on files of the test's own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loki.cli.check import WIDTH, excerpt
from loki.lua.lint import Finding, Severity

Loki = Callable[..., Any]

TOOL = """
[[tools]]
name = "{name}"
return_type = "number"
script.path = "{path}"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one to work in; without settings the defaults hold."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, **scripts: str) -> None:
    for name, source in scripts.items():
        (folder / f"{name}.lua").write_text(source)


def test_a_good_script_has_no_problems(folder: Path, loki: Loki) -> None:
    write(folder, good="return fenrir:gpio_read(params.pin)")
    result = loki("check", "good.lua")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "no problems\n", "")


def test_every_problem_has_place_message_line_and_caret(folder: Path, loki: Loki) -> None:
    write(folder, bad="local led = 17\n\tfenrir:gpio_raed(led)\nprint(lde)\n")
    result = loki("check", "bad.lua")
    assert result.exit_code == 1
    assert result.stderr.split("\n") == [
        "bad.lua:2:2: error: fenrir has no function 'gpio_raed'; did you mean 'gpio_read'?",
        "    \tfenrir:gpio_raed(led)",
        "    \t^^^^^^^^^^^^^^^^",
        "bad.lua:3:7: error: unknown name 'lde'; did you mean 'led'?",
        "    print(lde)",
        "          ^^^",
        "2 errors",
        "",
    ]


def test_a_folder_is_the_scripts_in_and_below_it(folder: Path, loki: Loki) -> None:
    (folder / "all" / "deep").mkdir(parents=True)
    write(folder / "all", a="return xyzzy", b="return 1")
    write(folder / "all" / "deep", c="return plugh")
    (folder / "all" / "note.txt").write_text("no script")
    result = loki("check", "all")
    assert result.exit_code == 1
    places = [line.split(" ")[0] for line in result.stderr.splitlines() if ".lua:" in line]
    assert places == ["all/a.lua:1:8:", "all/deep/c.lua:1:8:"]


def test_a_folder_without_scripts_is_told(folder: Path, loki: Loki) -> None:
    (folder / "none").mkdir()
    result = loki("check", "none")
    assert result.exit_code == 1
    assert result.stderr == "none: no script (.lua) in this folder or below it\n"


def test_warnings_alone_are_no_failure(folder: Path, loki: Loki) -> None:
    write(folder, warn="count = 1\nreturn count")
    result = loki("check", "warn.lua")
    assert result.exit_code == 0
    assert "warn.lua:1:1: warning: 'count' becomes a global" in result.stderr
    assert result.stderr.endswith("\n1 warning\n")


def test_several_files_are_checked_at_once(folder: Path, loki: Loki) -> None:
    write(folder, one="retrun 1", two="total = xyzzy")
    result = loki("check", "one.lua", "two.lua")
    assert "one.lua:1:8: error: syntax error near '1'" in result.stderr
    assert "two.lua:1:9: error: unknown name 'xyzzy'" in result.stderr
    assert result.stderr.endswith("\n2 errors, 1 warning\n")


def test_json_is_one_list_for_editors(folder: Path, loki: Loki) -> None:
    write(folder, bad="print(xyzzy)")
    result = loki("check", "bad.lua", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {
            "file": "bad.lua",
            "line": 1,
            "column": 7,
            "end_column": 12,
            "severity": "error",
            "rule": "unknown-name",
            "message": "unknown name 'xyzzy'",
        }
    ]
    write(folder, good="return 1")
    assert json.loads(loki("check", "good.lua", "--json").stdout) == []


def test_stdin_is_a_script(loki: Loki) -> None:
    result = loki("check", "-", stdin="print(xyzzy)")
    assert result.stderr.startswith("stdin:1:7: error: unknown name 'xyzzy'")


def test_s_2_3_1_a_tool_file_is_checked_with_its_scripts(folder: Path, loki: Loki) -> None:
    write(folder, a="return params.n")
    text = TOOL.format(name="a", path="a.lua") + TOOL.format(name="9", path="a.lua")
    (folder / "my.toml").write_text(text)
    result = loki("check", "my.toml")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{folder}/my.toml:8: tools[2] '9': name = \"9\": must be")
    assert lines[1] == "a.lua:1:8: error: 'a' has no parameter 'n'; it has none"
    assert lines[-1] == "2 errors"
    (first, second) = json.loads(loki("check", "my.toml", "--json").stdout)
    assert (first["file"], first["line"]) == (f"{folder}/my.toml", 8)
    assert first["message"].startswith("tools[2] '9': name")
    assert (second["file"], second["rule"]) == ("a.lua", "unknown-parameter")


def test_a_script_of_a_tool_knows_its_tool(folder: Path, loki: Loki) -> None:
    write(folder, a="return params.n")
    (folder / "tools.toml").write_text(TOOL.format(name="average", path="a.lua"))
    assert "'average' has no parameter 'n'" in loki("check", "a.lua").stderr


HEADER = """--- loki:
--- parameters = [{ name = "n", type = "number" }]
--- return_type = "number"
"""


def test_s_r_7_a_header_is_checked_with_its_script(folder: Path, loki: Loki) -> None:
    write(
        folder, good=HEADER + "return params.n", bad=HEADER.replace("number", "nuber") + "return 1"
    )
    assert loki("check", "good.lua").stdout == "no problems\n"
    result = loki("check", "bad.lua")
    assert result.exit_code == 1
    first, second, last = result.stderr.splitlines()
    assert first.startswith("bad.lua:2: header 'bad': parameters[1].type = \"nuber\": must be one")
    assert second.startswith("bad.lua:3: header 'bad': return_type = \"nuber\": must be one of")
    assert last == "2 errors"


def test_s_r_7_a_header_tells_parameters_and_permissions(folder: Path, loki: Loki) -> None:
    source = HEADER + "return params.m + fenrir:sensor_read('a')"
    stderr = loki("check", "-", stdin=source).stderr
    assert "stdin:4:8: error: 'stdin' has no parameter 'm'" in stderr
    assert "its permissions must say sensors" in stderr
    allowed = source.replace("return_type", "permissions.sensors = ['a']\n--- return_type")
    assert "permission" not in loki("check", "-", stdin=allowed).stderr


def test_s_r_7_a_header_that_is_no_toml_has_its_place(folder: Path, loki: Loki) -> None:
    write(folder, bad="-- About this.\n\n--- loki:\n--- return_type = number\nreturn 1")
    result = loki("check", "bad.lua")
    assert result.stderr.startswith("bad.lua:4: its header is no valid TOML: ")
    (found,) = json.loads(loki("check", "bad.lua", "--json").stdout)
    assert (found["file"], found["line"]) == ("bad.lua", 4)


def test_s_r_7_scripts_with_a_header_are_checked_as_they_are_served(
    folder: Path, loki: Loki
) -> None:
    write(folder, a=HEADER + "return params.m", module="return xyzzy")
    result = loki("check")
    assert result.stderr.splitlines()[0] == ("a.lua:4:8: error: 'a' has no parameter 'm'; it has n")
    assert result.stderr.endswith("\n1 error\n")


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("none.lua", "none.lua: no such file\n"),
        ("latin.lua", "is not UTF-8"),
        ("none.toml", "none.toml: no such file\n"),
        ("bad.toml", "is no valid TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    folder: Path, loki: Loki, file: str, complaint: str
) -> None:
    (folder / "latin.lua").write_bytes(b"-- \xe4")
    (folder / "bad.toml").write_text("[[tools]")
    result = loki("check", file)
    assert result.exit_code == 1
    assert complaint in result.stderr


def test_s_1_3_7_settings_that_cannot_be_used_end_it(folder: Path, loki: Loki) -> None:
    (folder / "loki.toml").write_text("grpc_port = 70000")
    result = loki("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("loki.toml:1: grpc_port = 70000: must be at most 65535")


def test_a_very_long_line_is_cut_around_its_problem() -> None:
    text = "x" * 1000 + "bad" + "y" * 1000
    found = Finding(1, 1001, 1004, Severity.ERROR, "rule", "message")
    line, caret = excerpt(text, found)
    assert len(line) == WIDTH
    assert line[caret.index("^") :].startswith("bady")
    assert caret.count("^") == 3


def test_tools_of_the_settings_and_those_beside_the_script_are_known(
    folder: Path, loki: Loki
) -> None:
    header = "--- loki:\n--- return_type = 'void'\n"
    (folder / "elsewhere").mkdir()
    write(folder, served=header)
    write(folder / "elsewhere", beside=header)
    write(folder / "elsewhere", caller="loki.call('served', { x = 1 })\nloki.call('beside', { 2 })")
    result = loki("check", "elsewhere/caller.lua")
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if "error" in line] == [
        "elsewhere/caller.lua:1:23: error: argument 'x': 'served' has no such parameter; "
        "it takes none",
        "elsewhere/caller.lua:2:23: error: arguments have names: 'beside' takes none",
        "2 errors",
    ]


def test_modules_are_looked_for_in_the_scripts_folder(folder: Path, loki: Loki) -> None:
    write(folder, a="return require 'b'", b="return 1", c="require 'd'")
    result = loki("check", "a.lua", "c.lua")
    assert result.exit_code == 1
    assert result.stderr.startswith("c.lua:1:9: error: there is no module 'd': neither d.lua")


def test_scripts_in_a_tool_file_know_its_tools_and_modules(folder: Path, loki: Loki) -> None:
    (folder / "tools.toml").write_text(
        "[[tools]]\nname = 'a'\nreturn_type = 'void'\npermissions.tools = ['*']\n"
        "script.inline = \"require 'gone' loki.call('b', { x = 1 })\"\n"
        "[[tools]]\nname = 'b'\nreturn_type = 'void'\nscript.inline = 'return'\n"
    )
    result = loki("check")
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if ": error: " in line] == [
        "tools.toml:5:26: error: there is no module 'gone': neither gone.lua nor gone/init.lua is "
        "in the scripts folder",
        "tools.toml:5:50: error: argument 'x': 'b' has no such parameter; it takes none",
    ]
