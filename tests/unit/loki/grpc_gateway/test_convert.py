"""Between loki.v1 and messages, both ways, without loss."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ErrorCode, ExecutionError, InvalidArgument, InvalidScript
from loki.grpc_gateway import convert
from loki.messages.execution import Cause, RunFinished, Usage
from loki.messages.lifecycle import ChildState, ChildStatus
from loki.messages.script import Limits, Origin, Parameter, Script, ValueType
from loki.messages.value import pack, unpack
from loki.tool.file import read_upload
from loki.tool.rule import Rules
from loki.v1 import script_pb2, service_pb2, value_pb2

RULES = Rules(
    compile=lambda _script: None,
    modules=(),
    defaults=Limits(max_memory_mb=3),
    ceiling=Limits(),
    default_permissions={},
    script_storage_path=None,
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal with types: 1, 1.0 and True are three values."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@given(values)
def test_s_4_2_4_any_value_survives_the_wire_both_ways(value: Any) -> None:
    wire = convert.value_of(pack(value)).SerializeToString()
    received = value_pb2.ScriptValue.FromString(wire)
    assert same(unpack(convert.packed_of(received)), value)


def test_integers_beyond_a_doubles_precision_are_exact() -> None:
    assert convert.value_of(pack(9007199254740993)).int_value == 9007199254740993


def test_nan_and_infinity_are_values() -> None:
    assert math.isnan(convert.value_of(pack(math.nan)).double_value)
    assert convert.value_of(pack(-math.inf)).double_value == -math.inf


def test_no_value_is_null() -> None:
    assert convert.value_of(None).WhichOneof("kind") == "null_value"
    assert unpack(convert.packed_of(value_pb2.ScriptValue())) is None


@pytest.mark.parametrize(
    "packed",
    [
        msgspec.msgpack.encode(2**63),
        msgspec.msgpack.encode({1: 2}),
        msgspec.msgpack.encode(msgspec.msgpack.Ext(7, b"x")),
        b"\x91" * 40 + b"\xc0",
    ],
)
def test_what_no_answer_can_hold_is_the_scripts_error(packed: bytes) -> None:
    with pytest.raises(ExecutionError) as raised:
        convert.value_of(msgspec.Raw(packed))
    assert raised.value.code is ErrorCode.RETURN_TYPE_MISMATCH


def test_every_enum_member_has_its_name_in_the_api() -> None:
    for kind in ValueType:
        parameter = Parameter(name="p", type=kind)
        number = convert.parameter_to_proto(parameter).type
        assert convert.type_of(number, "type") == {"type": kind.value}
    for state in ChildState:
        (info,) = convert.children_to_proto([ChildStatus(name="hel", state=state)])
        assert info.enabled == (state is not ChildState.DISABLED)


def test_s_3_1_5_a_definition_is_what_a_tool_file_would_say() -> None:
    script = Script(
        name="average",
        source="return 1",
        chunk="average",
        description="Mean",
        parameters=(
            Parameter(name="sensor", type=ValueType.STRING, description="Id"),
            Parameter(
                name="n",
                type=ValueType.INTEGER,
                required=False,
                default=pack(5),
                minimum=1,
                maximum=2**53 + 1,
            ),
        ),
        return_type=ValueType.NUMBER,
        limits=Limits(max_memory_mb=7),
        idempotent=True,
        wait_for_child_ms=250,
        origin=Origin.REGISTERED,
    )
    definition = convert.script_to_proto(script, "").definition
    table = unpack(convert.definition_of(definition))
    assert isinstance(table, dict)
    read = read_upload(table, RULES)
    bare = msgspec.structs.replace(read, revision="", declared_in="")
    assert bare == script


def test_what_was_not_said_is_not_said() -> None:
    definition = script_pb2.ScriptDefinition(name="a", source="return 1")
    definition.parameters.add(name="p", type=script_pb2.VALUE_TYPE_STRING)
    assert unpack(convert.definition_of(definition)) == {
        "name": "a",
        "script": {"inline": "return 1"},
        "parameters": [{"name": "p", "type": "string"}],
    }


def test_an_empty_manifest_allows_nothing_and_is_said() -> None:
    definition = script_pb2.ScriptDefinition(permissions=script_pb2.PermissionManifest())
    definition.limits.max_memory_mb = 0
    table = unpack(convert.definition_of(definition))
    assert isinstance(table, dict)
    assert table["permissions"] == {}
    assert table["limits"] == {"max_memory_mb": 0}


@pytest.mark.parametrize("number", [script_pb2.VALUE_TYPE_UNSPECIFIED, 77])
def test_a_type_nobody_knows_is_refused_by_the_library(number: int) -> None:
    definition = script_pb2.ScriptDefinition(name="a", source="return 1", return_type=number)
    table = unpack(convert.definition_of(definition))
    assert isinstance(table, dict)
    with pytest.raises(InvalidScript) as raised:
        read_upload(table, RULES)
    assert raised.value.details["field"].endswith("return_type")


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000)])
def test_s_3_1_4_page_sizes(asked: int, size: int) -> None:
    request = service_pb2.ListScriptsRequest(page_size=asked)
    assert convert.list_request(request).page_size == size


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as raised:
        convert.list_request(service_pb2.ListScriptsRequest(page_size=-1))
    assert raised.value.details == {"field": "page_size"}


def test_every_figure_of_usage_is_told() -> None:
    usage = Usage(
        wall_ms=1.5,
        cpu_ms=2.5,
        peak_memory_bytes=3,
        api_calls=4,
        queue_ms=5.5,
        overshoot_ms=6.5,
        budgets=Limits(max_output_kb=9),
        warnings=("max_memory_mb",),
    )
    told = convert.usage_to_proto(usage)
    figures = msgspec.structs.asdict(usage)
    for field, value in figures.items():
        if field not in ("budgets", "warnings"):
            assert getattr(told, field) == value
    assert tuple(told.warnings) == usage.warnings
    assert {f.name: v for f, v in told.budgets.ListFields()} == msgspec.structs.asdict(
        usage.budgets
    )


@pytest.mark.parametrize("line", ["", "x", "²", "-1", "9" * 12])
def test_a_line_that_is_no_number_is_unknown(line: str) -> None:
    from loki.messages.envelope import Failure

    failure = Failure(code=ErrorCode.SCRIPT_ERROR, message="m", details={"line": line})
    finished = RunFinished(run="r", script="s", cause=Cause.SCRIPT_ERROR, failure=failure)
    assert convert.script_error(finished).line == 0
