"""Modules that are required by a name that is written there: missing ones, and circles."""

from pathlib import Path

import pytest

from loki.lua.lint import Contract, lint
from loki.tool.module import ModuleFolder
from tests.unit.loki.lua.lint.conftest import MODULES

REMEDY = "require one of them inside of the function that needs it"


def problems(folder: Path, source: str, *, in_folder: bool = True, **modules: str) -> list[str]:
    for name, text in modules.items():
        (folder / f"{name}.lua").write_text(text)
    found = ModuleFolder(folder, tools=folder / "tools.toml", closed=folder / "state")
    contract = Contract(MODULES, folder=found, in_folder=in_folder)
    return [f"{f.line}:{f.column} {f.severity.value}: {f.message}" for f in lint(source, contract)]


def test_a_module_that_is_not_there_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    assert problems(tmp_path, 'local a =\n  require "filtr"', filter="return 1") == [
        "2:11 error: there is no module 'filtr': neither filtr.lua nor filtr/init.lua is in the "
        "scripts folder; did you mean 'filter'?"
    ]


def test_outside_of_the_scripts_folder_a_missing_module_is_a_warning(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'require("gone")', in_folder=False)
    assert problem.startswith("1:9 warning: there is no module 'gone'")


def test_what_is_no_name_is_an_error_everywhere(tmp_path: Path) -> None:
    assert problems(tmp_path, 'require("a/b")', in_folder=False) == [
        "1:9 error: require: 'a/b' is no module name; write require \"a.b\""
    ]


def test_a_module_that_a_module_needs_is_missed_too(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'require "a"', a='\nlocal b = require "b"')
    assert problem.startswith("1:9 error: there is no module 'b'")
    assert problem.endswith("in the scripts folder (a.lua:2)")


@pytest.mark.parametrize(
    ("modules", "circle"),
    [
        ({"a": 'require "a"'}, "a > a (a.lua:1)"),
        ({"a": '\nrequire "b"', "b": '\n\nx = { require("a") }'}, "a > b > a (b.lua:3)"),
        ({"a": 'require "b"', "b": 'require "c"', "c": 'require "b"'}, "b > c > b (c.lua:1)"),
    ],
)
def test_modules_in_a_circle_are_reported(
    tmp_path: Path, modules: dict[str, str], circle: str
) -> None:
    assert problems(tmp_path, 'require "a"', **modules) == [
        f"1:9 error: modules require each other in a circle: {circle}; {REMEDY}"
    ]


@pytest.mark.parametrize(
    "a",
    [
        'return function() return require "a" end',
        'local function f() return require "a" end return f',
        'if params.x then require "a" end',
        'return params.x and require "a"',
        'pcall(require, "a")',
        'local require = print require "a"',
        "return load('require \"a\"')",
    ],
)
def test_a_circle_that_no_run_needs_to_walk_is_none(tmp_path: Path, a: str) -> None:
    assert problems(tmp_path, 'require "a"', a=a) == []


@pytest.mark.parametrize(
    "source",
    [
        'require "math"',
        'require "board"',
        "require(params.name)",
        "require('x\\97')",
        'pcall(require, "optional")',
        'pcall(function() return require "optional" end)',
        'require "diamond" require "left"',
    ],
)
def test_what_is_right_or_unknown_is_not_reported(tmp_path: Path, source: str) -> None:
    modules = {
        "diamond": 'require "left" require "right"',
        "left": 'return require "base"',
        "right": 'return require "base"',
        "base": "return 1",
    }
    assert problems(tmp_path, source, **modules) == []
