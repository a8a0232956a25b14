"""The reference tells every declaration, whole, and its Lua is Lua."""

import re

import fenrir_actor
import hel_actor
import jormungandr_actor
import lupa.lua54
import pytest

from loki.lua import local
from loki.lua.builtin import LOCAL, LOKI
from loki.lua.reference import as_luacats, as_text, functions_of
from loki.messages.lua_module import (
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    PermissionKey,
    PermissionShape,
)

CHILDREN = tuple(c.CHILD.module for c in (fenrir_actor, hel_actor, jormungandr_actor))
BOARD = LuaModule(
    name="board",
    child="board",
    doc="A board.",
    functions=(
        LuaFunction(
            name="wait",
            request="Wait",
            parameters=(
                LuaParameter(name="pin", type=LuaType.PIN, doc="A line"),
                LuaParameter(
                    name="timeout", type=LuaType.INTEGER, unit="ms", required=False, doc="At most"
                ),
            ),
            returns=LuaType.BYTES,
            permission="lines",
            doc="Waits for a line.",
        ),
    ),
    permissions=(PermissionKey(name="lines", shape=PermissionShape.LIST, doc="Lines."),),
)
TEXT = """
board: A board.

  board:wait(pin, [timeout]) -> bytes
      Waits for a line.
        pin      pin. A line
        timeout  integer in ms, optional. At most
      Needs the permission lines.

  permission lines = [...]
      Lines.
"""
DEFINITION = """
---A board.
---@class board
board = {}

---Waits for a line.
---Needs the permission lines.
---@param pin integer|string A line
---@param timeout? integer At most (ms)
---@return string
function board:wait(pin, timeout) end
"""
ALL = [(module.name, function) for module, function in functions_of(CHILDREN)]


def test_people_read_parameters_types_units_returns_and_permissions() -> None:
    text = as_text((BOARD,))
    assert text.endswith(TEXT)
    assert max(map(len, text.splitlines())) <= 100


def test_editors_read_the_same() -> None:
    assert as_luacats((BOARD,)).endswith(DEFINITION)


def test_all_that_loki_has_is_declared() -> None:
    own = {function.name for module, function in functions_of(()) if module is LOKI}
    assert {*own, "null"} == {f.name for f in LOKI.functions} | set(LOCAL)
    assert {"null", *(f.name for f in local.FUNCTIONS)} == set(LOCAL)


def test_definitions_are_lua_that_defines_every_function() -> None:
    lua = lupa.lua54.LuaRuntime()
    lua.execute(as_luacats(CHILDREN))
    for module, function in ALL:
        assert lua.eval(f"type({module}.{function.name})") == "function"
    assert lua.eval("type(loki.null)") == "table"
    assert lua.eval("type(params)") == "table"


@pytest.mark.parametrize(("module", "function"), ALL, ids=lambda part: getattr(part, "name", part))
def test_every_function_has_its_parameters_and_its_return(
    module: str, function: LuaFunction
) -> None:
    head = re.compile(rf"^function {module}[.:]{function.name}\((.*)\) end$", re.MULTILINE)
    (block,) = (b for b in as_luacats(CHILDREN).split("\n\n") if head.search(b))
    named = re.findall(r"^---@param (\w+)(\??) (?:\S+|table<string, any>) ?(.*)$", block, re.M)
    assert [(name, not mark) for name, mark, _ in named] == [
        (parameter.name, parameter.required) for parameter in function.parameters
    ]
    assert all(p.unit in doc for p, (_, _, doc) in zip(function.parameters, named, strict=True))
    found = head.search(block)
    assert found is not None
    assert found[1] == ", ".join(parameter.name for parameter in function.parameters)
    assert ("---@return" in block) == (function.returns is not LuaType.NOTHING)


@pytest.mark.parametrize(("module", "function"), ALL, ids=lambda part: getattr(part, "name", part))
def test_people_find_every_function(module: str, function: LuaFunction) -> None:
    heads = [line for line in as_text(CHILDREN).splitlines() if line.startswith("  ")]
    assert any(re.match(rf"  {module}[.:]{function.name}\(", line) for line in heads)
