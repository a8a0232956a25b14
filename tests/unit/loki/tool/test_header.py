"""Headers: where they begin and end, which lines they count, what they cannot say."""

from pathlib import Path

import pytest

from loki.errors import CompilationError, ConfigurationError
from loki.messages.script import Script
from loki.tool.definition import MAX_SOURCE_BYTES
from loki.tool.document import Document
from loki.tool.file import Tools, read_source, read_tools
from loki.tool.header import dropped, header_of, read_header
from loki.tool.rule import Rules

HERE: dict[str, object] = {"path": "a.lua"}
VOID = '--- loki: return_type = "void"\n'


def refuse_bad(script: Script) -> None:
    if "bad" in script.source:
        raise CompilationError(f"{script.chunk}:2: near 'bad'", details={"line": "2"})


RULES = Rules(compile=refuse_bad)


def header(source: str) -> Document:
    found = header_of(source, Path("a.lua"), HERE)
    assert found is not None
    return found


def entry(source: str) -> object:
    (only,) = header(source).data["tools"]  # type: ignore[misc]  # A list, as in a tool file.
    return only


def read(file: Path, source: str) -> Tools:
    file.write_text(source)
    return read_tools([file], RULES)


def only_problem(tools: Tools) -> str:
    (problem,) = tools.problems
    return str(problem)


@pytest.mark.parametrize(
    "source",
    [
        VOID + "return",
        '--- loki:\n--- return_type = "void"\nreturn',
        '---loki:\n---return_type = "void"',
        '\n-- About it.\n\t\n--- More.\n--- loki:\n---   return_type = "void"\n',
        '--- loki:\n---\n--- # A comment.\n--- return_type = "void"\n-- name = "b"\n',
        '--- loki:\n--- return_type = "void"\n\n--- name = "b"\n',
    ],
)
def test_s_r_7_a_header_is_an_entry_of_a_tool_file(source: str) -> None:
    assert entry(source) == {"name": "a", "return_type": "void", "script": HERE}


@pytest.mark.parametrize(
    "source",
    [
        "",
        "return 1",
        "-- loki: with two dashes it is a comment",
        "return 1\n--- loki:",
        "local a = 1 --- loki:",
        "--- Loki: another name",
        "--[[\n--- loki:\n]]",
        "--[==[ About it.\n--- loki:\n]==]",
        "  --- loki: indented",
    ],
)
def test_s_r_7_other_comments_are_no_header(source: str) -> None:
    assert header_of(source, Path("a.lua"), HERE) is None


def test_s_r_7_tables_of_a_header_are_those_of_an_entry() -> None:
    source = '--- loki:\n--- name = "b"\n--- [limits]\n--- max_memory_mb = 1\n'
    assert entry(source) == {"name": "b", "limits": {"max_memory_mb": 1}, "script": HERE}


def test_s_r_7_text_over_several_lines_loses_the_dashes_alone() -> None:
    source = '--- loki:\n--- description = """One\n---   two\n--- three"""\n'
    assert "One\n  two\nthree" in str(entry(source)).replace("\\n", "\n")


def test_s_r_7_places_are_lines_of_the_script() -> None:
    found = header("\n-- About it.\n--- loki:\n--- name = 'b'\n--- [limits]\n--- max_disk_mb = 1")
    assert found.where(("tools", 0, "name")) == "a.lua:4"
    assert found.where(("tools", 0, "limits", "max_disk_mb")) == "a.lua:6"
    assert found.where(("tools", 0, "return_type")) == "a.lua:3"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n--- loki:\n--- name = b\n", "a.lua:3: its header is no valid TOML: "),
        ("--- loki: a sentence\n", "a.lua:1: its header is no valid TOML: "),
        ("--- loki:\n--- script.path = 'b.lua'\n", "a.lua:2: script: the file itself is the"),
    ],
)
def test_s_r_7_a_bad_header_names_its_line(source: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        header(source)
    assert caught.value.message.startswith(message)
    assert message.startswith(caught.value.details["place"])


def test_s_r_7_the_script_is_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "a.lua"
    (script,) = read(file, VOID + "return").scripts
    assert (script.name, script.chunk, script.declared_in) == ("a", "a.lua", str(file))
    assert script.source == VOID + "return"


def test_s_r_7_a_file_without_a_header_is_no_tool_and_no_problem(tmp_path: Path) -> None:
    tools = read(tmp_path / "a.lua", "return bad")
    assert (tools.scripts, tools.problems) == ((), ())


@pytest.mark.parametrize(
    ("name", "source", "problem"),
    [
        ("a", "\n--- loki:\nreturn", ":2: header 'a': return_type: is required"),
        ("a", VOID + "return bad", ":1: header 'a': script: a.lua:2: near 'bad'"),
        ("a-b", VOID + "return", ":1: header 'a-b': name = \"a-b\": must be 1 to 64 of a-z"),
        ("a", VOID + "--- nmae = 'b'\n", ":2: header 'a': nmae = \"b\": unknown key; did you mean"),
        ("a", VOID + "x" * MAX_SOURCE_BYTES, ": larger than 1024 KiB"),
    ],
)
def test_s_r_7_a_header_has_the_rules_of_a_tool_file(
    tmp_path: Path, name: str, source: str, problem: str
) -> None:
    file = tmp_path / f"{name}.lua"
    tools = read(file, source)
    assert tools.scripts == ()
    assert f"{file}{problem}" in only_problem(tools)


def test_s_r_7_what_is_no_utf_8_is_told_where_it_is_a_tool(tmp_path: Path) -> None:
    file = tmp_path / "a.lua"
    file.write_bytes(b"-- \xe4\nreturn")
    assert read_header(file) is None
    file.write_bytes(b"-- \xe4\n" + VOID.encode())
    assert "is not UTF-8" in only_problem(read_tools([file], RULES))


def test_s_r_7_line_ends_and_byte_order_marks_are_nobodys_business(tmp_path: Path) -> None:
    file = tmp_path / "a.lua"
    file.write_bytes(b"\xef\xbb\xbf" + VOID.replace("\n", "\r\n").encode())
    assert [script.name for script in read_tools([file], RULES).scripts] == ["a"]


def test_s_r_7_a_file_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be read" in only_problem(read_tools([tmp_path / "a.lua"], RULES))


def test_s_r_7_source_without_a_file_is_read_too() -> None:
    (script,) = read_source(VOID, Path("stdin"), RULES).scripts
    assert (script.name, script.source) == ("stdin", VOID)
    problem = only_problem(read_source("--- loki:\n", Path("stdin"), RULES))
    assert problem == "stdin:1: header 'stdin': return_type: is required"


def test_s_r_7_only_scripts_of_the_folder_itself_and_not_of_the_state(tmp_path: Path) -> None:
    for name in ("b.lua", "a.lua", "a.txt", "deep/c.lua", "state/d.lua"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(VOID)
    (tmp_path / "e.lua").mkdir()
    (tmp_path / "f.lua").symlink_to(tmp_path / "state" / "d.lua")
    (tmp_path / "g.lua").symlink_to(tmp_path / "nowhere")
    state = tmp_path / "state"
    assert dropped(tmp_path, state) == [tmp_path / "a.lua", tmp_path / "b.lua"]
    assert dropped(state, state) == []


def test_s_r_7_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "outside.lua").write_text(VOID)
    link = tmp_path / "scripts" / "a.lua"
    link.symlink_to(tmp_path / "outside.lua")
    assert "leads out of the script storage" in only_problem(read_tools([link], RULES))
