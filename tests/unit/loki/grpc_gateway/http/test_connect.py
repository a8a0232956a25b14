"""The Connect protocol's words."""

import json
import struct
from contextlib import suppress
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.grpc_gateway.call.status import rich_status
from loki.grpc_gateway.http import connect
from loki.grpc_gateway.typed.codec import reader_of
from loki.grpc_gateway.typed.directory import TypedService
from loki.messages.envelope import Failure
from loki.v1 import service_pb2
from tests.unit.loki.grpc_gateway.interface import every_type

MESSAGE = reader_of(TypedService(every_type())).message
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["string", "integer", "number", "boolean", "bytes", "object", "array", "fields"]
            )
            | st.sampled_from(["items", "intValue", "doubleValue", "nullValue", "bytesValue", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def test_every_code_has_its_http_status_and_name() -> None:
    names = {number: name for number, (name, _) in connect.CODES.items()}
    spelled = {code.value[0]: code.name.lower() for code in grpc.StatusCode}
    assert {0: "ok"} | names == spelled | {1: "canceled"}


@pytest.mark.parametrize(
    ("header", "expected_s"), [(None, None), ("0", 0.0), ("50", 0.05), ("9999999999", 9999999.999)]
)
def test_a_deadline_is_in_milliseconds(header: str | None, expected_s: float | None) -> None:
    assert connect.timeout_s(header) == expected_s


@pytest.mark.parametrize("header", ["", "-1", "1.5", "ten", "12345678901", "٣"])
def test_a_deadline_of_another_kind_is_refused(header: str) -> None:
    with pytest.raises(InvalidArgument, match="Connect-Timeout-Ms"):
        connect.timeout_s(header)


def test_another_version_of_the_protocol_is_refused() -> None:
    connect.require_version(None)
    connect.require_version("1")
    with pytest.raises(InvalidArgument, match="Connect-Protocol-Version: '2'"):
        connect.require_version("2")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("", ""),
    ],
)
def test_a_media_type_is_without_parameters(header: str, expected: str) -> None:
    assert connect.media_type(header) == expected


@pytest.mark.parametrize(
    ("retry_after_s", "headers"),
    [
        (None, {}),
        (0.0, {"Retry-After": "0"}),
        (0.2, {"Retry-After": "1"}),
        (3, {"Retry-After": "3"}),
    ],
)
def test_an_error_says_when_to_try_again(
    retry_after_s: float | None, headers: dict[str, str]
) -> None:
    told = Failure(code=ErrorCode.QUOTA, message="slowly", retry_after_s=retry_after_s)
    assert connect.retry_after(rich_status(told)) == headers


def test_a_stream_that_fails_at_once_is_its_end() -> None:
    sent = connect.end_of_stream({"code": "unimplemented"})
    flags, length = struct.unpack(">BI", sent[:5])
    assert (flags, length) == (2, len(sent) - 5)
    assert json.loads(sent[5:]) == {"error": {"code": "unimplemented"}}


def test_json_and_messages_are_the_same() -> None:
    text = '{"name": "Jörmungandr"}'.encode()
    data = connect.parse_json(text, service_pb2.GetScriptRequest())
    assert service_pb2.GetScriptRequest.FromString(data).name == "Jörmungandr"
    assert connect.to_json(service_pb2.GetScriptRequest(name="ö")) == '{"name": "ö"}'.encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"{", "its end is missing"),
        (b'{"name": 1}', "name"),
        (b'{"nam": "x"}', "nam: there is no such field; there are name"),
        (b'{"name": "a", "name": "b"}', "twice"),
        (b'{"name": "\xff"}', "no UTF-8"),
        (b'{"name": "\\ud800"}', "Unicode text"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "would be named"),
    ],
)
def test_json_that_is_no_request_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as raised:
        connect.parse_json(text, service_pb2.GetScriptRequest())
    assert "\n" not in raised.value.message


@given(st.dictionaries(st.sampled_from(sorted(MESSAGE.DESCRIPTOR.fields_by_name)), JSON))
def test_no_json_brings_anything_but_a_refusal(value: Any) -> None:
    with suppress(InvalidArgument):
        connect.parse_json(json.dumps(value).encode(), MESSAGE())


@given(st.binary(max_size=40))
def test_no_bytes_bring_anything_but_a_refusal(data: bytes) -> None:
    with suppress(InvalidArgument):
        connect.parse_json(b"{" + data, MESSAGE())


def test_a_stream_is_sent_to_where_it_is_served() -> None:
    error = connect.streaming_refusal("x.Y/Watch", "127.0.0.1:7")
    assert isinstance(error, LokiError)
    assert error.code is ErrorCode.UNSUPPORTED
    assert "127.0.0.1:7" in error.message
