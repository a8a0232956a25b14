"""JSON Schemas, judged by a validator and by what protobuf makes of the same JSON."""

import math
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from loki.client.json_schema import request_schema, response_schema
from loki.grpc_gateway.convert.script import parameter_to_proto
from loki.grpc_gateway.typed import schema as typed
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import pack
from loki.v1 import script_pb2
from loki.v1_value import to_proto
from tests.unit.loki.grpc_gateway.interface import classes, every_type, interface

EVERY = every_type("every")
LARGE = 2**53 + 1
SCRIPT_VALUE = {"objectValue": {"fields": {"a": {"arrayValue": {"items": [{"nullValue": None}]}}}}}
FITTING = {
    "string": ["", "grün"],
    "integer": [0, -5, "5", str(LARGE), 2**63 - 1],
    "number": [0, 1.5, "NaN", "-Infinity"],
    "boolean": [True, False],
    "object": [{}, {"fields": {"a": SCRIPT_VALUE, "b": {}}}],
    "array": [{}, {"items": [{"intValue": "1"}, {"intValue": 1}, {"bytesValue": "AAE="}]}],
    "bytes": ["", "AAE="],
}
MISFITTING = {  # Of these protobuf for Python reads some more: `true` as a double, [] as an object.
    "string": [1, ["a"]],
    "integer": [1.5, True, "five", 2**63, -(2**63) - 1],
    "number": ["much", {}],
    "boolean": [0, "true", []],
    "object": [1, {"fields": []}, {"fields": {"a": 1}}, {"field": {}}],
    "array": [1, {"items": {}}, {"items": [{"intValue": "1", "boolValue": True}]}],
    "bytes": [1, {}],
}


def capability(described: Interface) -> script_pb2.ScriptCapability:
    return script_pb2.ScriptCapability(
        name=described.name,
        description=described.description,
        revision=described.revision,
        parameters=map(parameter_to_proto, described.parameters),
        method=f"{typed.full_name(described.name)}/{typed.CALL}",
    )


def request_of(described: Interface) -> dict[str, Any]:
    made = request_schema(capability(described), classes(described)["CallRequest"].DESCRIPTOR)
    Draft202012Validator.check_schema(made)
    return made


def response_of(described: Interface) -> dict[str, Any]:
    made = response_schema(capability(described), classes(described)["CallResponse"].DESCRIPTOR)
    Draft202012Validator.check_schema(made)
    return made


def one(**changes: Any) -> Interface:
    return interface(parameters=(Parameter(name="n", **changes),))


def fits(schema: dict[str, Any], content: object) -> bool:
    return bool(Draft202012Validator(schema).is_valid(content))


class TestRequest:
    @pytest.mark.parametrize(
        ("name", "value"), [(name, value) for name, values in FITTING.items() for value in values]
    )
    def test_what_protobuf_reads_fits(self, name: str, value: object) -> None:
        described = one(type=ValueType(name))
        assert fits(request_of(described), {"n": value})
        json_format.ParseDict({"n": value}, classes(described)["CallRequest"]())

    @pytest.mark.parametrize(
        ("name", "value"),
        [(name, value) for name, values in MISFITTING.items() for value in values],
    )
    def test_what_protobuf_refuses_does_not(self, name: str, value: object) -> None:
        described = one(type=ValueType(name))
        assert not fits(request_of(described), {"n": value})
        with pytest.raises(json_format.ParseError):
            json_format.ParseDict({"n": value}, classes(described)["CallRequest"]())

    def test_it_has_the_parameters_own_names_and_no_others(self) -> None:
        described = interface(
            parameters=(
                Parameter(name="maxAge", type=ValueType.INTEGER, required=False),
                Parameter(name="_x", type=ValueType.STRING, description="An x"),
            )
        )
        schema = request_of(described)
        assert set(schema["properties"]) == {"maxAge", "_x"}
        assert schema["properties"]["_x"]["description"] == "An x"
        assert fits(schema, {"_x": "a"})
        assert not fits(schema, {"_x": "a", "max_age": 1})

    def test_what_is_required(self) -> None:
        assert not fits(request_of(one(type=ValueType.STRING)), {})
        assert fits(request_of(one(type=ValueType.STRING, required=False)), {})

    @pytest.mark.parametrize(
        ("type_", "low", "high", "within", "outside"),
        [
            (ValueType.INTEGER, 1, 10, [1, 10], [0, 11]),
            (ValueType.INTEGER, None, 10, [-(2**63), 10], [11]),
            (ValueType.NUMBER, -0.5, 1, [-0.5, 0, 1], [-0.6, 1.1, "NaN"]),
            (ValueType.NUMBER, 0, None, [0, 1e300], [-1]),
            (ValueType.NUMBER, -math.inf, None, [-1e300, 5], []),
        ],
    )
    def test_bounds(
        self,
        type_: ValueType,
        low: float | None,
        high: float | None,
        within: list[object],
        outside: list[object],
    ) -> None:
        schema = request_of(one(type=type_, minimum=low, maximum=high))
        assert [fits(schema, {"n": value}) for value in within] == [True] * len(within)
        assert [fits(schema, {"n": value}) for value in outside] == [False] * len(outside)

    @pytest.mark.parametrize(
        ("type_", "default", "shown"),
        [
            (ValueType.INTEGER, 5, 5),
            (ValueType.INTEGER, LARGE, str(LARGE)),
            (ValueType.NUMBER, 0.5, 0.5),
            (ValueType.NUMBER, 2, 2),
            (ValueType.NUMBER, math.inf, "Infinity"),
            (ValueType.NUMBER, -math.inf, "-Infinity"),
            (ValueType.NUMBER, math.nan, "NaN"),
            (ValueType.STRING, "ä", "ä"),
            (ValueType.BOOLEAN, False, False),
            (ValueType.BYTES, b"\0\1", "AAE="),
            (ValueType.ARRAY, [1], {"items": [{"intValue": "1"}]}),
            (ValueType.OBJECT, {"a": None}, {"fields": {"a": {"nullValue": None}}}),
        ],
    )
    def test_a_default_is_what_could_be_sent(
        self, type_: ValueType, default: Any, shown: object
    ) -> None:
        described = one(type=type_, required=False, default=pack(default))
        schema = request_of(described)
        assert schema["properties"]["n"]["default"] == shown
        assert fits(schema, {"n": shown})
        json_format.ParseDict({"n": shown}, classes(described)["CallRequest"]())

    def test_a_script_that_has_changed_meanwhile(self) -> None:
        """The list of scripts is older than the descriptors: types are theirs."""
        old = capability(one(type=ValueType.INTEGER, minimum=1, maximum=2))
        now = classes(one(type=ValueType.STRING))["CallRequest"].DESCRIPTOR
        schema = request_schema(old, now)
        assert fits(schema, {"n": "text"})
        other = classes(interface(parameters=(Parameter(name="m", type=ValueType.STRING),)))
        assert fits(request_schema(old, other["CallRequest"].DESCRIPTOR), {})


class TestResponse:
    @pytest.mark.parametrize(
        ("type_", "value"),
        [
            (ValueType.STRING, "ä"),
            (ValueType.INTEGER, LARGE),
            (ValueType.NUMBER, math.nan),
            (ValueType.BOOLEAN, False),
            (ValueType.BYTES, b"\xff"),
        ],
    )
    def test_what_protobuf_writes_fits(self, type_: ValueType, value: object) -> None:
        described = interface(return_type=type_)
        message = classes(described)["CallResponse"](value=value)
        message.usage.peak_memory_bytes = LARGE
        message.usage.budgets.max_memory_mb = 1
        written = json_format.MessageToDict(message)
        assert fits(response_of(described), written)
        other = [] if type_ is not ValueType.BOOLEAN else "no"
        assert not fits(response_of(described), written | {"value": other})

    def test_nothing_fits_too(self) -> None:
        described = interface(return_type=ValueType.VOID)
        schema = response_of(described)
        assert set(schema["properties"]) == {"usage"}
        assert fits(schema, {})
        assert fits(schema, {"comes": "later"})

    def test_a_number_is_not_how_large_integers_come(self) -> None:
        assert not fits(response_of(interface(return_type=ValueType.INTEGER)), {"value": 5})


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.binary()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)
ANY_VALUE = response_of(interface(return_type=ValueType.ANY))


@settings(deadline=None)
@given(values)
def test_any_value_of_a_script_fits(value: Any) -> None:
    written = json_format.MessageToDict(to_proto(value))
    assert fits(ANY_VALUE, {"value": written})
