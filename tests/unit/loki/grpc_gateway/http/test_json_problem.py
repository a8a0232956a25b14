"""What is said of JSON that is no request: where, what was expected, what came."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from loki.grpc_gateway.http.json_problem import LARGEST_BYTES, MOST_TRIES, Problem, problem
from loki.grpc_gateway.typed.codec import reader_of
from loki.grpc_gateway.typed.directory import TypedService
from loki.v1 import service_pb2
from tests.unit.loki.grpc_gateway.http.test_connect import JSON
from tests.unit.loki.grpc_gateway.interface import every_type

TYPED = reader_of(TypedService(every_type())).message
INT64 = "expected a whole number from -9223372036854775808 to 9223372036854775807, got "
NUMBER = 'expected a number, "NaN", "Infinity" or "-Infinity", got '
REFUSED = (json_format.ParseError, ValueError)


def of(value: object, message: Any = TYPED) -> Problem:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(REFUSED):  # So it is none that protobuf takes.
        json_format.Parse(text, message())
    return problem(text, message.DESCRIPTOR)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"integer": "x"}, f'integer: {INT64}"x"'),
        ({"integer": 1.5}, f"integer: {INT64}1.5"),
        ({"integer": True}, f"integer: {INT64}true"),
        ({"integer": 2**63}, f"integer: {INT64}9223372036854775808"),
        ({"integer": []}, f"integer: {INT64}an array"),
        ({"number": "many"}, f'number: {NUMBER}"many"'),
        (b'{"number": NaN}', f"number: {NUMBER}NaN"),
        ({"boolean": "true"}, 'boolean: expected true or false, got "true"'),
        ({"string": 7}, "string: expected a string of Unicode text, got 7"),
        ({"string": "\ud800"}, 'string: expected a string of Unicode text, got "\\ud800"'),
        ({"bytes": "a"}, 'bytes: expected a string in base64, got "a"'),
        ({"object": 3}, "object: expected an object, got 3"),
        ({"array": [1]}, "array: expected an object, got an array"),
        ({"string": "a", "integer": {}}, f"integer: {INT64}an object"),
        ({"string": "x" * 9, "boolean": "y" * 99}, "boolean: expected true or false, got "),
    ],
)
def test_a_typed_request(value: object, text: str) -> None:
    assert str(of(value)).startswith(text)


def arguments(value: object) -> dict[str, object]:
    return {"input": {"name": "a", "arguments": {"t": value}}}


@pytest.mark.parametrize(
    ("value", "field", "text"),
    [
        ({"input": [1]}, "input", "expected an object, got an array"),
        ({"input": {"nam": "a"}}, "input.nam", "there is no such field; there are name, "),
        ({"input": {"arguments": 1}}, "input.arguments", "expected an object, got 1"),
        (arguments(5), "input.arguments.t", "expected an object, got 5"),
        (arguments({"intValue": "x"}), "input.arguments.t.intValue", INT64 + '"x"'),
        (
            arguments({"intValue": 1, "boolValue": True}),
            "input.arguments.t.boolValue",
            "does not go together with 'intValue'; give one of them",
        ),
        (
            arguments({"arrayValue": {"items": [{}, {"x": 1}]}}),
            "input.arguments.t.arrayValue.items[1].x",
            "there is no such field; there are ",
        ),
        (
            arguments({"arrayValue": {"items": 1}}),
            "input.arguments.t.arrayValue.items",
            "expected an array, got 1",
        ),
        (
            arguments({"arrayValue": {"items": [None]}}),
            "input.arguments.t.arrayValue.items[0]",
            "expected an object, got null",
        ),
        (arguments({"intValue": 1, "int_value": 1}), "input.arguments.t.int_value", "does not go"),
    ],
)
def test_the_place_is_named_by_names_of_json(value: object, field: str, text: str) -> None:
    found = of(value, service_pb2.ExecuteScriptRequest)
    assert (found.field, found.text[: len(text)]) == (field, text)


def test_times_and_names_of_values() -> None:
    logs = service_pb2.WatchLogsRequest
    assert of({"after": "soon"}, logs).text == (
        'expected a time such as "2026-01-31T12:00:00Z", got "soon"'
    )
    found = of({"minimumLevel": "LOUD"}, logs)
    assert found.text.startswith("expected one of LOG_LEVEL_UNSPECIFIED, LOG_LEVEL_DEBUG, ")
    assert found.text.endswith(', got "LOUD"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "it is no JSON: its end is missing"),
        (b'{"a": 1,\n oh}', 'it is no JSON from line 2, column 2 on: "oh}"'),
        (b'{"a": "\xff"}', "it is no UTF-8 from byte 8 on"),
        (b'{"a": 1, "a": 2}', 'an object has the name "a" twice'),
        (b'{"a":' * 1300 + b"1" + b"}" * 1300, "nested too deep"),
        (b'{"integer": ' + b"9" * 5000 + b"}", "a number too long"),
        (b'{"string": 1' + b" " * LARGEST_BYTES + b"}", "it does not fit; up to 8192 bytes"),
        (b'{"\\u202e\x7f": 1}', "\\u202e\\u007f: there is no such field"),
    ],
)
def test_what_is_no_json(text: bytes, words: str) -> None:
    assert words in str(of(text))


def test_deep_ones_are_not_followed_to_the_end() -> None:
    value: object = {"intValue": "x"}
    for _ in range(15):
        value = {"arrayValue": {"items": [value]}}
    found = of(arguments(value), service_pb2.ExecuteScriptRequest)
    assert found.text == "it does not fit, somewhere inside"


def test_many_parts_are_not_all_tried() -> None:
    for fitting, field in (MOST_TRIES - 10, "input.arguments.z"), (MOST_TRIES, ""):
        many = {f"k{n}": {} for n in range(fitting)} | {"z": 1}
        value = {"input": {"name": "a", "arguments": many}}
        assert of(value, service_pb2.ExecuteScriptRequest).field == field


@given(st.dictionaries(st.sampled_from(["string", "integer", "object", "array", "bytes"]), JSON))
def test_it_is_short_and_in_one_line_whatever_came(value: Any) -> None:
    text = json.dumps(value).encode()
    try:
        json_format.Parse(text, TYPED())
    except REFUSED:
        told = str(problem(text, TYPED.DESCRIPTOR))
        assert told
        assert len(told) < 1000
        assert told.isprintable()
