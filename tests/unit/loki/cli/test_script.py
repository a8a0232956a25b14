"""Tool files as registrations, and scripts as plain data."""

from pathlib import Path
from typing import Any, get_args

import pytest
import tomli

from loki.cli.script import (
    build_definition,
    cut,
    list_rows,
    read_definition,
    read_definitions,
    script_json,
    signature,
    type_name,
    type_number,
)
from loki.errors import ConfigurationError
from loki.tool.definition import ParameterType, ReturnType
from loki.v1 import script_pb2
from loki.v1_value import from_proto

TOOLS = """
[[tools]]
name = "average"
description = "Mean"
parameters = [
  { name = "sensor", type = "string", description = "Id" },
  { name = "n", type = "integer", default = 5, minimum = 1, maximum = 100 },
]
return_type = "number"
script = { path = "scripts/average.lua" }

[tools.limits]
max_memory_mb = 4

[tools.permissions]
gpio = [17, "led"]
files = "rw"
storage = true
cache = false

[[tools]]
name = "beep"
return_type = "void"
script = { inline = "return" }
permissions = {}
"""


@pytest.fixture
def tool_file(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "average.lua").write_text("return 1.5")
    (tmp_path / "tools.toml").write_text(TOOLS)
    return tmp_path / "tools.toml"


def test_a_tool_file_becomes_definitions_with_their_sources(tool_file: Path) -> None:
    average, beep = read_definitions(tool_file)
    assert (average.name, average.source, beep.source) == ("average", "return 1.5", "return")
    sensor, n = average.parameters
    assert (sensor.required, sensor.HasField("default_value")) == (True, False)
    assert (n.required, from_proto(n.default_value)) == (False, 5)
    assert (from_proto(n.minimum), from_proto(n.maximum)) == (1, 100)
    assert average.return_type == script_pb2.VALUE_TYPE_NUMBER
    assert average.limits.max_memory_mb == 4
    assert not average.limits.HasField("max_execution_time_ms")
    keys = {key: list(value.patterns) for key, value in average.permissions.keys.items()}
    assert keys == {"gpio": ["17", "led"], "files": ["rw"], "storage": ["*"]}


def test_no_manifest_and_an_empty_one_stay_different(tool_file: Path) -> None:
    unset = build_definition(
        {"name": "a", "return_type": "void", "script": {"inline": "x"}}, tool_file.parent
    )
    assert not unset.HasField("permissions")
    assert read_definitions(tool_file)[1].HasField("permissions")


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ('name = "a"', "exactly one of path"),
        ('script = { inline = "x", path = "y" }', "exactly one of path"),
        ('script = { inline = "x" }\nnmae = "a"', "nmae"),
        ('script = { inline = "x" }\nreturn_type = "text"', "'text' is no type"),
        ('script = { inline = "x" }\nparameters = [{ name = "p" }]', "is no type"),
        ('script = { inline = "x" }\nlimits = { max_memory_mb = "4" }\nname = 7', "name"),
        ('script = { path = "none.lua" }', "no such file"),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(tmp_path: Path, entry: str, complaint: str) -> None:
    file = tmp_path / "tools.toml"
    file.write_text(f"[[tools]]\n{entry}\n")
    with pytest.raises((ValueError, ConfigurationError)) as raised:
        read_definitions(file)
    assert complaint in str(raised.value)
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize("text", ["", "tools = 5", "tools = []"])
def test_a_file_without_tools_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tools.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"has no \[\[tools\]\]"):
        read_definitions(file)


def test_signature_tells_required_optional_and_defaults() -> None:
    entry: dict[str, Any] = tomli.loads(
        """
        name = "x"
        script = { inline = "return" }
        parameters = [
          { name = "a", type = "string" },
          { name = "b", type = "integer", default = 5 },
          { name = "c", type = "bytes", required = false },
        ]
        """
    )
    made = build_definition(entry, Path())
    assert signature(made) == "a: string, b: integer = 5, c: bytes?"


def test_a_script_as_json_has_what_its_file_says(tool_file: Path) -> None:
    made = read_definitions(tool_file)[0]
    plain = script_json(
        script_pb2.Script(definition=made, revision="r1", origin=1, method="a.B/Call")
    )
    assert plain["method"] == "a.B/Call"
    assert plain["return_type"] == "number"
    assert plain["origin"] == "file"
    assert plain["limits"] == {"max_memory_mb": 4}
    assert plain["parameters"] == [
        {"name": "sensor", "type": "string", "required": True, "description": "Id"},
        {
            "name": "n",
            "type": "integer",
            "required": False,
            "description": "",
            "default": 5,
            "minimum": 1,
            "maximum": 100,
        },
    ]


def test_types_have_their_names_of_tool_files() -> None:
    assert type_number("object", ("object", "void")) == script_pb2.VALUE_TYPE_OBJECT
    with pytest.raises(ValueError, match="'any' is no type; there are object, void"):
        type_number("any", ("object", "void"))


@pytest.mark.parametrize("key", ["return_type", "parameters"])
def test_the_types_are_those_of_tool_files(key: str) -> None:
    entry = {"name": "a", "script": {"inline": "x"}, "return_type": "void"}
    wrong = {"return_type": "any", "parameters": [{"name": "p", "type": "any"}]}[key]
    kind = ParameterType if key == "parameters" else ReturnType
    with pytest.raises(ValueError, match=f"there are {', '.join(get_args(kind))}$"):
        build_definition({**entry, key: wrong}, Path())


def test_s_r_7_a_lua_file_is_what_its_header_says(tmp_path: Path) -> None:
    file = tmp_path / "square.lua"
    file.write_text(
        '--- loki: parameters = [{ name = "n", type = "number" }]\n'
        '--- return_type = "number"\nreturn params.n ^ 2'
    )
    made = read_definition(file, "", "")
    assert (made.name, type_name(made.return_type)) == ("square", "number")
    assert [parameter.name for parameter in made.parameters] == ["n"]
    assert made.source == file.read_text()
    given = read_definition(file, "power", "integer")
    assert (given.name, type_name(given.return_type)) == ("power", "integer")


def test_a_lua_file_without_a_header_gives_nothing_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "beep.lua"
    file.write_text("return 1")
    made = read_definition(file, "", "")
    assert (made.name, type_name(made.return_type)) == ("beep", "void")


def capability(**fields: Any) -> script_pb2.ScriptCapability:
    made = script_pb2.ScriptCapability(name="a", return_type=script_pb2.VALUE_TYPE_VOID)
    made.MergeFrom(script_pb2.ScriptCapability(**fields))
    return made


def test_a_list_is_cut_to_its_width() -> None:
    long = capability(name="long", description="word " * 40)
    for number in range(9):
        long.parameters.add(name=f"parameter{number}", type=script_pb2.VALUE_TYPE_STRING)
    short = capability(description="Short")
    first, second = list_rows([long, short], 100)
    assert first[1].startswith("parameter0: string?, ")
    assert first[1].endswith("…")
    assert second == ("a", "", "void", "Short")
    for row in (first, second):
        assert sum(map(len, row)) + 3 * 3 <= 100
    (wide,) = list_rows([long], 1000)
    assert wide[3] == long.description
    (narrow,) = list_rows([long], 10)
    assert len(narrow[3]) <= 20


@pytest.mark.parametrize(
    ("text", "width", "shown"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a bcd", 3, "a…")]
)
def test_what_is_too_long_is_cut(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
