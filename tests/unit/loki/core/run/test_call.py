"""Which scripts may call which, how deep, and what a caller is told of a failure."""

import pytest

from loki.core.run.call import MAX_CALLS, MAX_DEPTH, admit, check_room, failure_of, require
from loki.core.run.engine import Failed
from loki.errors import ErrorCode, InvalidArgument, LokiError, PermissionRefused
from loki.messages.script import Limits, Parameter, Permissions, Script, ValueType
from loki.messages.value import pack, unpack

ADD = Script(
    name="add",
    source="",
    chunk="add",
    parameters=(
        Parameter(name="a", type=ValueType.INTEGER),
        Parameter(name="b", type=ValueType.INTEGER, required=False, default=pack(10)),
    ),
    limits=Limits(max_memory_mb=64),
)


def caller(permissions: Permissions, declared_in: str = "tools.toml") -> Script:
    return Script(
        name="plan", source="", chunk="plan", permissions=permissions, declared_in=declared_in
    )


@pytest.mark.parametrize("patterns", [("add",), ("a*",), ("other", "*")])
def test_a_manifest_names_the_tools_or_their_pattern(patterns: tuple[str, ...]) -> None:
    require(caller({"tools": patterns}), "add")


@pytest.mark.parametrize("permissions", [{}, {"tools": ()}, {"tools": ("sub",)}, {"gpio": ("*",)}])
def test_s_2_1_3_what_no_manifest_names_is_refused_with_the_line_that_allows_it(
    permissions: Permissions,
) -> None:
    with pytest.raises(PermissionRefused) as raised:
        require(caller(permissions), "add")
    assert "under [tools.permissions] of 'plan' in tools.toml" in raised.value.message
    assert raised.value.details["allow_with"] == 'tools = ["add"]'


def test_for_a_script_of_no_file_the_settings_allow_it() -> None:
    with pytest.raises(PermissionRefused, match=r"\[security.adhoc_permissions\] of the settings"):
        require(caller({}, declared_in=""), "add")


def test_a_chain_of_calls_has_an_end() -> None:
    longest = ["plan", *["add"] * MAX_DEPTH]
    check_room(longest, 0)
    with pytest.raises(LokiError, match=f"at most {MAX_DEPTH} deep: plan > add") as raised:
        check_room([*longest, "add"], 0)
    assert raised.value.code is ErrorCode.QUOTA


def test_only_so_many_called_tools_are_under_way() -> None:
    check_room(["plan", "add"], MAX_CALLS - 1)
    with pytest.raises(LokiError, match=f"^{MAX_CALLS} called tools are under way") as raised:
        check_room(["plan", "add"], MAX_CALLS)
    assert raised.value.code is ErrorCode.QUOTA


def test_arguments_are_completed_and_limits_stay_under_the_ceiling() -> None:
    admission = admit(ADD, {"a": pack(2)}, Limits(max_memory_mb=16))
    assert {name: unpack(value) for name, value in admission.arguments.items()} == {"a": 2, "b": 10}
    assert admission.limits.max_memory_mb == 16


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(InvalidArgument, match="a"):
        admit(ADD, {}, Limits())


def test_a_failure_names_tool_line_and_stack() -> None:
    failed = Failed(
        ErrorCode.SCRIPT_ERROR, "add:2: boom", 2, "add:2: in main chunk", (("file", "add"),)
    )
    failure = failure_of("add", failed)
    assert (failure.code, failure.message) == (ErrorCode.SCRIPT_ERROR, "add:2: boom")
    assert failure.details == {
        "file": "add",
        "tool": "add",
        "line": "2",
        "traceback": "add:2: in main chunk",
    }


def test_a_failure_of_no_place_names_the_tool_alone() -> None:
    assert failure_of("add", Failed(ErrorCode.MEMORY_BUDGET, "no")).details == {"tool": "add"}
