"""Values through loki.v1, both ways, without loss."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ErrorCode, ExecutionError
from loki.grpc_gateway.convert.value import packed_of, value_of
from loki.messages.value import pack, unpack
from loki.v1 import value_pb2

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
    wire = value_of(pack(value)).SerializeToString()
    received = value_pb2.ScriptValue.FromString(wire)
    assert same(unpack(packed_of(received)), value)


def test_integers_beyond_a_doubles_precision_are_exact() -> None:
    assert value_of(pack(9007199254740993)).int_value == 9007199254740993


def test_nan_and_infinity_are_values() -> None:
    assert math.isnan(value_of(pack(math.nan)).double_value)
    assert value_of(pack(-math.inf)).double_value == -math.inf


def test_no_value_is_null() -> None:
    assert value_of(None).WhichOneof("kind") == "null_value"
    assert unpack(packed_of(value_pb2.ScriptValue())) is None


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
        value_of(msgspec.Raw(packed))
    assert raised.value.code is ErrorCode.RETURN_TYPE_MISMATCH
