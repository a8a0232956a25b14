"""Plain Python values as ScriptValue, and what is refused with its place."""

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.v1 import service_pb2, value_pb2
from loki.v1_value import MAX_DEPTH, from_proto, to_proto

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_values_survive(value: Any) -> None:
    wire = to_proto(value).SerializeToString()
    assert from_proto(value_pb2.ScriptValue.FromString(wire)) == value


def test_other_sequences_and_mappings_are_taken() -> None:
    value = OrderedDict(a=(1, 2), b=bytearray(b"x"), c=range(2))
    assert from_proto(to_proto(value)) == {"a": [1, 2], "b": b"x", "c": [0, 1]}


def test_empty_arrays_and_objects_are_told_apart_from_null() -> None:
    assert from_proto(to_proto([[], {}, None])) == [[], {}, None]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (2**63, "x: .*64 bits"),
        ({"a": [0, object()]}, r"x\.a\[2\]: an object"),
        ({"a": {1: 2}}, r"a key of x\.a: 1"),
        (["\ud800"], r"x\[1\]: not valid Unicode"),
        ({1, 2}, "x: a set"),
    ],
)
def test_what_cannot_be_held_is_refused_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        to_proto(value, "x")


def nested(kind: str, depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "array" else {"k": value}
    return value


@pytest.mark.parametrize("kind", ["array", "object"])
def test_the_deepest_value_can_be_read_in_the_deepest_message(kind: str) -> None:
    response = service_pb2.GetScriptResponse()
    parameter = response.script.definition.parameters.add()
    parameter.default_value.CopyFrom(to_proto(nested(kind, MAX_DEPTH)))
    read = service_pb2.GetScriptResponse.FromString(response.SerializeToString())
    assert read == response
    with pytest.raises(ValueError, match="deeper"):
        to_proto(nested(kind, MAX_DEPTH + 1))
