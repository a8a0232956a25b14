"""The lint's idea of Lua's library against the sandbox itself."""

from collections.abc import Callable
from typing import Any

import pytest

from loki.lua.lint.standard import ELSEWHERE, FUNCTIONS, GLOBALS, LIBRARIES, elsewhere

RAISING = {"error", "coroutine.yield"}  # Whatever they are given.
LIST = """
local names = {}
for name, value in pairs(_G) do
  names[#names + 1] = name
  if type(value) == "table" and name ~= "_G" and name ~= "params" then
    for member in pairs(value) do names[#names + 1] = name .. "." .. member end
  end
end
return names
"""


@pytest.fixture
def there(play: Callable[..., Any]) -> set[str]:
    """Every global and every member of a library table that a script sees."""
    return set(play(LIST).value)


def test_the_lint_knows_exactly_the_names_of_the_sandbox(there: set[str]) -> None:
    plain = {name for name in there if "." not in name} - {"params", "loki", "board"}
    assert plain == GLOBALS
    members = {name for name in there if "." in name}
    assert members == {f"{table}.{name}" for table, names in LIBRARIES.items() for name in names}


def test_what_is_elsewhere_is_not_here(there: set[str]) -> None:
    assert there.isdisjoint(ELSEWHERE)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - RAISING))
def test_fewer_arguments_than_a_function_needs_are_an_error(
    name: str, play: Callable[..., Any]
) -> None:
    least, _ = FUNCTIONS[name]
    given = ["'1'", "'1'", "'1'", "'1'"][: max(least - 1, 0)]
    failed = play(f"return (pcall({', '.join([name, *given])}))").value is False
    assert failed == (least > 0)


def test_a_hint_names_a_function_as_it_is_called_here() -> None:
    assert "hel:fs_read" in elsewhere("io", {"fs_read": "hel:fs_read"})
    assert "fs_read" in elsewhere("io", {})
    assert elsewhere("xyzzy", {}) == ""
