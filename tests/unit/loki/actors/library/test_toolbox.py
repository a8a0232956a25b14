"""What the files say, and that only what is new in them is compiled."""

from pathlib import Path
from typing import Any

import pytest

from loki.actors.library.toolbox import LANGUAGE, Toolbox
from loki.lua import engine_for
from loki.messages.library import LibraryConfig
from loki.tool.definition import ToolDefinition

ENTRY = '[[tools]]\nname = "{0}"\nreturn_type = "integer"\nscript = {{ {1} }}\n'


@pytest.fixture
def box(tmp_path: Path) -> Toolbox:
    config = LibraryConfig(
        tools=str(tmp_path / "tools.toml"),
        tools_named=True,
        script_storage_path=str(tmp_path),
        state_dir=str(tmp_path / "state"),
        modules=(),
    )
    return Toolbox(config, engine_for(LANGUAGE, ()))


def write(folder: Path, *entries: tuple[str, str]) -> None:
    (folder / "tools.toml").write_text("".join(ENTRY.format(*entry) for entry in entries))


def test_only_new_revisions_are_compiled(box: Toolbox, tmp_path: Path) -> None:
    write(tmp_path, ("a", 'inline = "return 1"'), ("b", 'inline = "return 2"'))
    first = box.read()
    assert first.bytecode.keys() == {script.revision for script in first.reading.scripts}
    assert all(code.startswith(b"\x1bLua") for code in first.bytecode.values())
    assert box.read().bytecode == {}
    write(tmp_path, ("a", 'inline = "return 1"'), ("b", 'inline = "return 3"'))
    third = box.read()
    assert list(third.bytecode) == [third.reading.scripts[1].revision]


def test_s_2_4_3_the_files_that_entries_name_are_looked_at(box: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path, ("a", 'path = "in/a.lua"'), ("b", 'path = "in/missing.lua"'))
    (tmp_path / "in" / "a.lua").write_text("return 1")
    found = box.read()
    assert found.places[str(tmp_path / "in")] == {"a.lua", "missing.lua"}
    assert {"tools.toml", "*.lua"} <= found.places[str(tmp_path)]


def test_what_is_wrong_has_file_key_and_value(box: Toolbox, tmp_path: Path) -> None:
    write(tmp_path, ("a", 'path = "missing.lua"'), ("b", 'inline = "return ="'))
    (tmp_path / "c.lua").write_text("--- loki: return_type = 7x\nreturn 1")
    reading = box.read().reading
    assert reading.scripts == ()
    assert reading.broken == {"a", "b"}
    assert reading.unread == {str(tmp_path / "c.lua")}
    a, b, c = reading.rejected
    assert a.file == f"{tmp_path}/tools.toml:4"
    assert 'script.path = "missing.lua": ' in a.problem
    assert b.file == f"{tmp_path}/tools.toml:8"
    assert c.file == f"{tmp_path}/c.lua:1"


@pytest.mark.parametrize("text", [None, "[[tools", "tolls = 1"])
def test_a_tool_file_that_says_nothing_is_unread(
    box: Toolbox, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "tools.toml").write_text(text)
    reading = box.read().reading
    assert reading.unread == {str(tmp_path / "tools.toml")}
    (told,) = reading.rejected
    assert told.file.startswith(str(tmp_path / "tools.toml"))
    assert str(tmp_path) not in told.problem


def test_what_was_good_is_not_checked_again(
    box: Toolbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten thousand entries one is edited at a time."""
    checked: list[str] = []

    def check(table: dict[str, Any], *, context: object) -> ToolDefinition:
        checked.append(table["name"])
        return validate(table, context=context)

    validate = ToolDefinition.model_validate
    monkeypatch.setattr(ToolDefinition, "model_validate", check)
    inline, filed = 'inline = "return 1"', 'path = "b.lua"'
    (tmp_path / "b.lua").write_text("return 1")
    write(tmp_path, ("a", inline), ("b", filed), ("c", 'inline = "return ="'), ("d", inline))
    first = box.read().reading
    checked.clear()
    (tmp_path / "b.lua").write_text("return 2")
    second = box.read().reading
    assert checked == ["b", "c"]
    assert [script.source for script in second.scripts] == ["return 1", "return 2", "return 1"]
    assert second.rejected == first.rejected
    checked.clear()
    write(tmp_path, ("d", inline), ("a", inline + ", extra = 1"), ("D", inline))
    third = box.read().reading
    assert checked == ["a", "D"]
    assert [script.name for script in third.scripts] == ["d"]
    assert third.broken == {"a", "D"}
    assert box.read().reading == third


@pytest.mark.parametrize(("before", "after"), [("1", "1.0"), ("1", "true"), ("true", "1")])
def test_values_that_python_calls_equal_are_different(
    box: Toolbox, tmp_path: Path, before: str, after: str
) -> None:
    for value in (before, after):
        parameter = f'parameters = [{{ name = "n", type = "integer", default = {value} }}]\n'
        entry = ENTRY.format("a", 'inline = "return 1"') + parameter
        (tmp_path / "tools.toml").write_text(entry)
        read = box.read().reading
        assert len(read.scripts) == (value == "1" or value == "1.0")
