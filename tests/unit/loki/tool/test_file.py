from collections.abc import Callable
from pathlib import Path

import pytest

from loki.errors import CompilationError, ConfigurationError, InvalidScript
from loki.messages.lua_module import LuaModule, PermissionKey, PermissionShape
from loki.messages.script import Limits, Origin, Script
from loki.tool.definition import MAX_SOURCE_BYTES
from loki.tool.file import Tools, read_adhoc, read_tools, read_upload, require_fit
from loki.tool.rule import Rules

INLINE = 'return_type = "void"\nscript = { inline = "return" }\n'


def refuse_bad(script: Script) -> None:
    if "bad" in script.source:
        raise CompilationError(f"{script.chunk}:1: near 'bad'", details={"line": "1"})


RULES = Rules(compile=refuse_bad)
GPIO = PermissionKey(name="gpio", shape=PermissionShape.LIST, doc="")
MODULE = LuaModule(name="fenrir", child="fenrir", doc="", functions=(), permissions=(GPIO,))


class Folder:
    """A folder with a tool file in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "tools.toml"

    def read(self, text: str, rules: Rules = RULES) -> Tools:
        self.file.write_text(text)
        return read_tools([self.file], rules)

    def read_path(self, path: str, storage: Path | None = None) -> Tools:
        text = f"[[tools]]\nname = 'a'\nreturn_type = 'void'\nscript.path = {path!r}"
        return self.read(text, Rules(compile=refuse_bad, script_storage_path=storage))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "tools"
    path.mkdir()
    return Folder(path)


def tool(name: str, rest: str = INLINE) -> str:
    return f'[[tools]]\nname = "{name}"\n{rest}'


def names(tools: Tools) -> list[str]:
    return [script.name for script in tools.scripts]


def only_problem(tools: Tools) -> str:
    (problem,) = tools.problems
    return str(problem)


def test_s_2_2_1_good_entries_load_and_bad_ones_are_listed(folder: Folder) -> None:
    tools = folder.read(tool("a") + tool("1") + tool("b") + tool("c", "return_type = 3\n"))
    assert names(tools) == ["a", "b"]
    assert [problem.key for problem in tools.problems] == ["name", "return_type", "script"]
    assert str(tools.problems[0]) == (
        f"{folder.file}:6: tools[2] '1': name = \"1\": must be 1 to 64 of a-z, A-Z, 0-9 and _, "
        "with no digit first"
    )


def test_s_2_2_1_strict_mode_refuses_the_whole_file(folder: Folder) -> None:
    tools = folder.read(tool("a") + tool("1") + tool("b", "return_type = 3\n"))
    with pytest.raises(ConfigurationError) as caught:
        tools.require_good()
    assert caught.value.message.splitlines() == [str(problem) for problem in tools.problems]
    assert len(tools.problems) == 3


def test_s_2_2_1_strict_mode_lets_a_good_file_pass(folder: Folder) -> None:
    assert names(folder.read(tool("a")).require_good()) == ["a"]


def test_s_2_2_1_scripts_of_a_file_know_where_they_come_from(folder: Folder) -> None:
    (script,) = folder.read(tool("a")).scripts
    assert (script.origin, script.declared_in) == (Origin.FILE, str(folder.file))


@pytest.mark.parametrize("text", ["", "# nothing\n", "tools = []"])
def test_s_2_2_1_a_file_without_tools_is_good(folder: Folder, text: str) -> None:
    tools = folder.read(text)
    assert (tools.scripts, tools.problems) == ((), ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tools = 3", ":1: tools = 3: must be a list of tables: [[tools]]"),
        ("[tools]\nname = 'a'", "must be a list of tables: [[tools]]"),
        ("tolls = 3", "did you mean 'tools'?"),
        ("tools = [3]", "tools[1]: 3: must be a table"),
        ("[[tools]", "no valid TOML"),
    ],
)
def test_s_2_2_1_a_wrong_shape_is_a_problem(folder: Folder, text: str, problem: str) -> None:
    assert problem in only_problem(folder.read(text))


def test_s_2_2_1_a_stranger_at_the_top_does_not_stop_the_tools(folder: Folder) -> None:
    tools = folder.read("version = 1\n" + tool("a"))
    assert names(tools) == ["a"]
    assert "unknown key" in only_problem(tools)


def test_s_2_2_1_a_missing_file_is_a_problem(folder: Folder) -> None:
    tools = read_tools([folder.file], RULES)
    assert only_problem(tools) == f"{folder.file}: no such file"
    assert tools.paths == {folder.file}


@pytest.mark.parametrize("name", ["read_sensor", "ReadSensor", "readSensor"])
def test_s_2_1_1_names_differ_in_camel_case_too(folder: Folder, name: str) -> None:
    tools = folder.read(tool("read_sensor") + tool(name))
    assert names(tools) == ["read_sensor"]
    assert f"tools[2] '{name}': name" in only_problem(tools)
    assert f"(see {folder.file}:2)" in only_problem(tools)


def test_s_2_1_1_the_name_of_a_bad_entry_is_taken_too(folder: Folder) -> None:
    tools = folder.read(tool("a", "return_type = 3\nscript = { inline = 'x' }\n") + tool("a"))
    assert names(tools) == []
    assert [problem.key for problem in tools.problems] == ["return_type", "name"]


def test_s_2_1_1_names_are_unique_on_one_line_too(folder: Folder) -> None:
    entry = "{ name = 'a', return_type = 'void', script = { inline = 'x' } }"
    tools = folder.read(f"tools = [{entry}, {entry}]")
    assert names(tools) == ["a"]
    assert "given twice" in only_problem(tools)


def test_s_2_1_1_names_are_unique_across_files(folder: Folder) -> None:
    other = folder.path / "other.toml"
    folder.file.write_text(tool("a"))
    other.write_text(tool("a") + tool("b"))
    tools = read_tools([folder.file, other], RULES)
    assert names(tools) == ["a", "b"]
    assert only_problem(tools).startswith(f"{other}:2: ")
    assert str(folder.file) in only_problem(tools)


def test_s_2_2_2_a_path_starts_at_the_tool_file(folder: Folder) -> None:
    (folder.path / "scripts").mkdir()
    (folder.path / "scripts" / "a.lua").write_bytes(b"\xef\xbb\xbfreturn\r\n")
    (script,) = folder.read_path("scripts/a.lua").scripts
    assert (script.source, script.chunk) == ("return\n", "scripts/a.lua")


def test_s_2_2_2_the_storage_may_lie_elsewhere(folder: Folder) -> None:
    storage = folder.path.parent / "storage"
    storage.mkdir()
    (storage / "a.lua").write_text("return")
    assert names(folder.read_path("../storage/a.lua", storage)) == ["a"]
    assert names(folder.read_path(str(storage / "a.lua"), storage)) == ["a"]


def upwards(folder: Folder, outside: Path) -> str:
    return "../outside.lua"


def upwards_from_within(folder: Folder, outside: Path) -> str:
    (folder.path / "sub").mkdir()
    return "sub/../../outside.lua"


def absolute(folder: Folder, outside: Path) -> str:
    return str(outside)


def linked(folder: Folder, outside: Path) -> str:
    (folder.path / "link.lua").symlink_to(outside)
    return "link.lua"


def linked_folder(folder: Folder, outside: Path) -> str:
    (folder.path / "up").symlink_to(outside.parent)
    return "up/outside.lua"


@pytest.mark.parametrize("escape", [upwards, upwards_from_within, absolute, linked, linked_folder])
def test_s_2_2_2_paths_out_of_the_storage_are_refused(
    folder: Folder, escape: Callable[[Folder, Path], str]
) -> None:
    outside = folder.path.parent / "outside.lua"
    outside.write_text("return")
    tools = folder.read_path(escape(folder, outside))
    assert names(tools) == []
    assert "leads out of the script storage" in only_problem(tools)


def test_s_2_2_2_a_neighbour_with_the_storages_name_in_front_is_outside(folder: Folder) -> None:
    neighbour = folder.path.with_name("tools2")
    neighbour.mkdir()
    (neighbour / "a.lua").write_text("return")
    assert "leads out" in only_problem(folder.read_path("../tools2/a.lua"))


def test_s_2_2_2_a_link_inside_the_storage_is_followed(folder: Folder) -> None:
    (folder.path / "a.lua").write_text("return")
    (folder.path / "link.lua").symlink_to("a.lua")
    assert names(folder.read_path("link.lua")) == ["a"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("none.lua", "no such file"),
        ("", "is no regular file"),
        ("loop.lua", "is no path: Symlink loop"),
        ("nul\0.lua", "is no path"),
        ("x" * 300, "cannot be read"),
        ("latin.lua", "is not UTF-8"),
        ("empty.lua", "the script is empty"),
        ("large.lua", "larger than 1024 KiB"),
    ],
)
def test_s_2_3_1_the_script_file_must_be_good(folder: Folder, path: str, text: str) -> None:
    (folder.path / "loop.lua").symlink_to("loop.lua")
    (folder.path / "latin.lua").write_bytes(b"-- \xe4")
    (folder.path / "empty.lua").write_text("\n")
    (folder.path / "large.lua").write_text(" " * (MAX_SOURCE_BYTES + 1))
    quoted = path.replace("\0", "\\u0000")
    tools = folder.read(tool("a", f'return_type = "void"\nscript.path = "{quoted}"\n'))
    assert tools.problems[0].key == "script.path"
    assert text in only_problem(tools)


def test_s_14_3_1_what_does_not_compile_is_a_problem(folder: Folder) -> None:
    (folder.path / "a.lua").write_text("bad")
    tools = folder.read_path("a.lua")
    assert names(tools) == []
    assert only_problem(tools) == f"{folder.file}:4: tools[1] 'a': script: a.lua:1: near 'bad'"


def test_s_2_4_3_the_files_worth_watching_are_named(folder: Folder) -> None:
    (folder.path / "a.lua").write_text("return")
    gone = tool("b", 'script.path = "gone.lua"\n')
    tools = folder.read(tool("a", 'return_type = "void"\nscript.path = "a.lua"\n') + gone)
    assert tools.paths == {folder.file, folder.path / "a.lua", folder.path / "gone.lua"}


def test_s_2_4_3_a_changed_script_file_is_a_new_revision(folder: Folder) -> None:
    (folder.path / "a.lua").write_text("return 1")
    (before,) = folder.read_path("a.lua").scripts
    (folder.path / "a.lua").write_text("return 2")
    (after,) = folder.read_path("a.lua").scripts
    assert before.revision != after.revision


def test_one_rule_book_for_files_and_uploads(folder: Folder) -> None:
    (of_file,) = folder.read(tool("a")).scripts
    uploaded = read_upload(
        {"name": "a", "return_type": "void", "script": {"inline": "return"}}, RULES
    )
    assert uploaded.revision == of_file.revision


@pytest.mark.parametrize(
    ("permissions", "said"),
    [
        ({}, ""),
        ({"gpio": ("4",)}, ""),
        ({"gpoi": ("4",)}, r"^revision .* any more: permissions.gpoi: no child has .* 'gpio'"),
    ],
)
def test_a_revision_that_was_kept_must_fit_its_device(
    permissions: dict[str, tuple[str, ...]], said: str
) -> None:
    """Whatever its limits: a run is held to the ceiling anyhow."""
    kept = Script(
        name="a",
        source="return",
        chunk="a",
        permissions=permissions,
        limits=Limits(max_execution_time_ms=10**9),
        revision="r1",
    )
    compiled: list[Script] = []
    rules = Rules(compile=compiled.append, modules=(MODULE,))
    if not said:
        require_fit(kept, rules)
        assert compiled == [kept]
        return
    with pytest.raises(InvalidScript, match=said) as caught:
        require_fit(kept, rules)
    assert caught.value.details == {"script": "a", "field": "permissions.gpoi"}


def adhoc(source: str) -> Script:
    return Script(name="adhoc", source=source, chunk="my file.lua", origin=Origin.ADHOC)


def test_the_header_of_an_adhoc_script_declares_all_but_who_it_is() -> None:
    source = (
        "\ufeff--- loki:\r\n--- name = 'other'\r\n--- return_type = 'void'\r\n"
        "--- limits.max_memory_mb = 7\r\n--- permissions = {}\r\n"
        "--- parameters = [{ name = 'n', type = 'integer' }]\r\nreturn bad"
    )
    sent = adhoc(source)
    declared = read_adhoc(sent, RULES)
    assert declared is not None
    assert [parameter.name for parameter in declared.parameters] == ["n"]
    assert (declared.return_type.value, declared.limits.max_memory_mb) == ("void", 7)
    assert (declared.name, declared.chunk, declared.source) == ("adhoc", "my file.lua", source)
    assert (declared.origin, declared.declared_in, declared.permissions) == (Origin.ADHOC, "", {})


def test_an_adhoc_script_without_a_header_declares_nothing() -> None:
    assert read_adhoc(adhoc("return 1\n--- loki:"), RULES) is None


def test_every_mistake_of_an_adhoc_header_is_told_with_its_line() -> None:
    source = "--- loki:\n--- return_type = 'int'\n--- limits.max_memory_mb = 'x'\nreturn"
    with pytest.raises(InvalidScript) as caught:
        read_adhoc(adhoc(source), RULES)
    first, second = caught.value.message.splitlines()
    assert first.startswith("my file.lua:2: header 'adhoc': return_type = \"int\"")
    assert second.startswith("my file.lua:3: header 'adhoc': limits.max_memory_mb = \"x\"")
    assert caught.value.details == {"field": "return_type"}
