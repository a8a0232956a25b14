"""What a script may count on: it comes from the declarations, not from a list of its own."""

from loki.lua.builtin import LOCAL, LOKI
from loki.lua.lint.contract import Contract, separator
from loki.messages.lua_module import LuaFunction, LuaModule
from loki.messages.script import Parameter, Script, ValueType

BOARD = LuaModule(
    name="board",
    child="board",
    doc="A board.",
    functions=(LuaFunction(name="ping", request="ping", doc="Answers."),),
)


def test_every_declared_function_is_known_by_its_full_name() -> None:
    contract = Contract((BOARD,))
    assert contract.functions.keys() == {
        "board:ping",
        *(f"loki.{function.name}" for function in LOKI.functions),
    }
    assert contract.offered["ping"] == "board:ping"
    assert {"board", "loki", "params", "print"} <= contract.globals


def test_only_loki_has_members_that_no_declaration_names() -> None:
    contract = Contract((BOARD,))
    assert contract.members("board") == {"ping"}
    assert contract.members("loki") == {f.name for f in LOKI.functions} | set(LOCAL)


def test_parameters_are_the_tools() -> None:
    tool = Script(
        name="a", source="", chunk="a", parameters=(Parameter(name="n", type=ValueType.STRING),)
    )
    assert Contract((), tool).parameters == {"n"}
    assert Contract(()).parameters == frozenset()


def test_loki_is_called_with_a_dot_and_children_with_a_colon() -> None:
    assert [separator(name) for name in ("loki", "loki.now", "lokis", "board:ping")] == [
        ".",
        ".",
        ":",
        ":",
    ]
