"""Requests of typed methods and their responses, as foreign software makes and reads them."""

import math
import weakref
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given as draw
from hypothesis import settings
from hypothesis import strategies as st

from loki.core.run.argument import fit
from loki.errors import ErrorCode, ExecutionError, InvalidArgument, LokiError
from loki.grpc_gateway.typed import codec
from loki.grpc_gateway.typed.directory import TypedService
from loki.messages.execution import (
    Cause,
    OutputWritten,
    ProgressMade,
    RunFinished,
    Usage,
    ValueEmitted,
)
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import MAX_DEPTH, ScriptValue, pack, unpack
from loki.v1_name import snake_case
from loki.v1_value import fill
from tests.unit.loki.grpc_gateway.interface import (
    classes,
    every_type,
    interface,
    interfaces,
)

RESULTS: list[tuple[ValueType, ScriptValue]] = [
    (ValueType.STRING, ""),
    (ValueType.STRING, "Jörmungandr"),
    (ValueType.INTEGER, 0),
    (ValueType.INTEGER, 2**53 + 1),
    (ValueType.INTEGER, -(2**63)),
    (ValueType.NUMBER, 0.0),
    (ValueType.NUMBER, math.inf),
    (ValueType.BOOLEAN, False),
    (ValueType.OBJECT, {}),
    (ValueType.OBJECT, {"a": [1, None, {"b": b"\xff"}]}),
    (ValueType.ARRAY, []),
    (ValueType.ARRAY, [1, 2.5, "x", None]),
    (ValueType.BYTES, b"\x00\xff"),
    (ValueType.ANY, None),
    (ValueType.ANY, {"a": 1}),
    (ValueType.VOID, None),
]


def given(described: Interface, message: Message) -> dict[str, ScriptValue]:
    arguments = codec.arguments_of(TypedService(described), message.SerializeToString())
    return {name: unpack(value) for name, value in arguments.items()}


def finished(value: ScriptValue, **facts: Any) -> RunFinished:
    usage = Usage(wall_ms=1.5, warnings=("max_memory_mb",))
    return RunFinished(
        run="7", script="a", cause=Cause.FINISHED, value=pack(value), usage=usage, **facts
    )


def plain(message: Any) -> ScriptValue:
    """What a client sees in `value`, through protobuf's own JSON where it is a message."""
    value = message.value
    return json_format.MessageToDict(value) if isinstance(value, Message) else value


class TestRequests:
    def test_arguments_keep_name_type_and_value(self) -> None:
        described = every_type()
        message = classes(described)["CallRequest"](
            string="Jörmungandr", integer=2**53 + 1, number=0.5, boolean=True, bytes=b"\xff"
        )
        fill(message.object.fields["a"], [1, None, {"b": b"\xff"}])
        fill(message.array.items.add(), 2)
        assert given(described, message) == {
            "string": "Jörmungandr",
            "integer": 2**53 + 1,
            "number": 0.5,
            "boolean": True,
            "bytes": b"\xff",
            "object": {"a": [1, None, {"b": b"\xff"}]},
            "array": [2],
        }

    def test_what_is_not_given_is_left_out_and_zeros_are_not(self) -> None:
        described = every_type()
        request = classes(described)["CallStreamRequest"]
        assert given(described, request()) == {}
        message = request(string="", integer=0, number=0.0, boolean=False, bytes=b"")
        message.object.SetInParent()
        message.array.SetInParent()
        assert given(described, message) == {
            "string": "",
            "integer": 0,
            "number": 0.0,
            "boolean": False,
            "bytes": b"",
            "object": {},
            "array": [],
        }

    def test_names_are_the_scripts_own(self) -> None:
        names = ("maxAge", "HTTP", "from", "_x", "None")
        parameters = tuple(Parameter(name=name, type=ValueType.STRING) for name in names)
        described = interface(parameters=parameters)
        request = classes(described)["CallRequest"]
        message = json_format.ParseDict({name: name for name in names}, request())
        assert given(described, message) == {name: name for name in names}

    @pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x08", b"\x0a\x05x"])
    def test_bytes_that_are_no_message_are_an_invalid_argument(self, data: bytes) -> None:
        with pytest.raises(InvalidArgument, match="not a request of this method"):
            codec.arguments_of(TypedService(every_type()), data)

    def test_text_that_is_no_utf8_is_an_invalid_argument(self) -> None:
        with pytest.raises(InvalidArgument):
            codec.arguments_of(TypedService(every_type()), b"\x0a\x01\xff")

    def test_too_deep_an_argument_is_named(self) -> None:
        deep: ScriptValue = 1
        for _ in range(MAX_DEPTH):
            deep = [deep]
        described = every_type()
        message = classes(described)["CallRequest"]()
        fill(message.object.fields["a"], deep)
        with pytest.raises(InvalidArgument, match=r"argument 'object': .*nested") as raised:
            given(described, message)
        assert raised.value.details == {"field": "object"}


class TestStaleSchemas:
    def stale(self, described: Interface, message: Message) -> LokiError:
        with pytest.raises(LokiError) as raised:
            given(described, message)
        assert raised.value.code is ErrorCode.STALE_SCHEMA
        return raised.value

    def test_a_field_of_another_revision_is_refused(self) -> None:
        old = interface(numbers=(1,))
        new = interface(numbers=(2,), revision="r2")
        error = self.stale(new, classes(old)["CallRequest"](n=5))
        assert error.details == {"script": "average", "revision": "r2", "numbers": "1"}
        assert "server reflection" in error.message
        assert "revision r2" in error.message

    def test_a_known_number_with_another_type_is_refused(self) -> None:
        old = interface(parameters=(Parameter(name="n", type=ValueType.STRING),))
        assert self.stale(interface(), classes(old)["CallRequest"](n="5")).details["numbers"] == "1"

    def test_many_such_fields_are_cut_short(self) -> None:
        old = every_type(count=64)
        message = classes(old)["CallRequest"]()
        for number in range(7, 64, 7):
            setattr(message, f"p_{number}", "x")
        error = self.stale(interface(), message)
        assert error.details["numbers"] == "8, 15, 22, 29, 36, 43, 50, 57"

    def test_an_old_request_without_such_a_field_is_taken(self) -> None:
        old = classes(interface(numbers=(1,)))["CallRequest"]
        assert given(interface(numbers=(2,)), old()) == {}


def numbered(number: int) -> TypedService:
    """One whose reader no other number's serves."""
    return TypedService(interface(numbers=(20_000 + number,)))


class TestReaders:
    def test_a_new_revision_with_the_same_parameters_needs_no_new_one(self) -> None:
        first = TypedService(interface("first", revision="r1"))
        second = TypedService(interface("second", revision="r2", return_type=ValueType.VOID))
        assert codec.reader_of(first) is codec.reader_of(second)
        renamed = interface(parameters=(Parameter(name="m", type=ValueType.INTEGER),))
        for other in renamed, interface(numbers=(2,)):
            assert codec.reader_of(TypedService(other)) is not codec.reader_of(first)

    def test_what_is_not_called_any_more_is_collected(self) -> None:
        """The collector does not come by itself: it sees few objects, not what they hold."""
        message = weakref.ref(codec.reader_of(numbered(0)).message)
        for number in range(codec.MOST_READERS + codec.MADE_BETWEEN_COLLECTIONS):
            codec.reader_of(numbered(1 + number))
        assert message() is None

    def test_what_is_called_stays(self) -> None:
        service = numbered(0)
        reader = codec.reader_of(service)
        for number in range(codec.MOST_READERS + 1):
            codec.reader_of(numbered(1 + number))
            codec.reader_of(service)
        assert codec.reader_of(service) is reader


class TestResponses:
    @pytest.mark.parametrize(("declared", "value"), RESULTS)
    def test_clients_read_the_value_in_its_declared_type(
        self, declared: ValueType, value: ScriptValue
    ) -> None:
        described = interface(return_type=declared)
        sent = codec.response(finished(value), declared)
        received = classes(described)["CallResponse"].FromString(sent.SerializeToString())
        assert received.usage.wall_ms == 1.5
        assert list(received.usage.warnings) == ["max_memory_mb"]
        if declared is not ValueType.VOID:
            assert received.HasField("value")
            assert plain(received) == plain(sent)
        if not isinstance(value, dict | list | None):
            assert received.value == value

    def test_an_object_arrives_whole(self) -> None:
        sent = codec.response(finished({"a": [1, b"\xff"]}), ValueType.OBJECT)
        received = classes(interface(return_type=ValueType.OBJECT))["CallResponse"].FromString(
            sent.SerializeToString()
        )
        items = received.value.fields["a"].array_value.items
        assert [items[0].int_value, items[1].bytes_value] == [1, b"\xff"]

    @pytest.mark.parametrize("declared", list(ValueType))
    def test_another_type_is_a_mismatch(self, declared: ValueType) -> None:
        others = [value for type_, value in RESULTS if type_ not in (declared, ValueType.ANY)]
        if declared is ValueType.ANY:
            return
        for value in others:
            with pytest.raises(ExecutionError) as raised:
                codec.response(finished(value), declared)
            assert raised.value.code is ErrorCode.RETURN_TYPE_MISMATCH
            assert raised.value.details["declared"] == declared.value

    @pytest.mark.parametrize(("declared", "value"), RESULTS)
    def test_a_stream_ends_with_the_same_value(
        self, declared: ValueType, value: ScriptValue
    ) -> None:
        end = finished(value, output_truncated=True)
        sent = codec.stream_response(end, 9, 1_500_000_000, declared)
        received = classes(interface(return_type=declared))["CallStreamResponse"].FromString(
            sent.SerializeToString()
        )
        assert (received.WhichOneof("chunk"), received.sequence) == ("result", 9)
        assert (received.execution_id, received.time.ToNanoseconds()) == ("7", 1_500_000_000)
        assert received.result.output_truncated
        assert received.result.usage.wall_ms == 1.5
        if declared is not ValueType.VOID:
            assert plain(received.result) == plain(sent.result)

    @pytest.mark.parametrize(
        ("event", "kind", "text"),
        [
            (OutputWritten(run="7", sequence=1, text="x\n"), "output", 'text: "x\\n"\n'),
            (
                ProgressMade(run="7", sequence=1, fraction=0.5, text=""),
                "progress",
                "fraction: 0.5\n",
            ),
            (ValueEmitted(run="7", sequence=1, value=pack([1])), "value", None),
        ],
    )
    def test_events_before_the_end_are_read_alike(self, event: Any, kind: str, text: str) -> None:
        sent = codec.stream_response(event, 1, 2, ValueType.NUMBER)
        received = classes(interface())["CallStreamResponse"].FromString(sent.SerializeToString())
        assert (received.WhichOneof("chunk"), received.sequence) == (kind, 1)
        assert (received.execution_id, received.time.ToNanoseconds()) == ("7", 2)
        assert json_format.MessageToDict(received) == json_format.MessageToDict(sent)
        if text is not None:
            assert str(getattr(received, kind)) == text


floats = st.floats(allow_nan=False)
whole = st.integers(-(2**63), 2**63 - 1)
values: st.SearchStrategy[ScriptValue] = st.recursive(
    st.none() | st.booleans() | whole | floats | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OF_TYPE: dict[ValueType, st.SearchStrategy[Any]] = {
    ValueType.STRING: st.text(),
    ValueType.INTEGER: whole,
    ValueType.NUMBER: floats,
    ValueType.BOOLEAN: st.booleans(),
    ValueType.BYTES: st.binary(),
    ValueType.OBJECT: st.dictionaries(st.text(), values, max_size=3),
    ValueType.ARRAY: st.lists(values, max_size=3),
}


def put(message: Any, field: str, value: Any) -> None:
    """As a client does it."""
    match value:
        case dict():
            getattr(message, field).SetInParent()
            for key, part in value.items():
                fill(getattr(message, field).fields[key], part)
        case list():
            getattr(message, field).SetInParent()
            for item in value:
                fill(getattr(message, field).items.add(), item)
        case _:
            setattr(message, field, value)


@settings(deadline=None, max_examples=100)
@draw(st.data())
def test_any_arguments_of_any_script_arrive(data: st.DataObject) -> None:
    described = data.draw(interfaces())
    arguments = {
        parameter.name: data.draw(OF_TYPE[parameter.type])
        for parameter in described.parameters
        if data.draw(st.booleans())
    }
    message = classes(described)["CallRequest"]()
    for name, value in arguments.items():
        put(message, snake_case(name), value)
    assert given(described, message) == arguments


def damaged(data: st.DataObject, sent: bytes) -> bytes:
    """With some bytes taken out and others put in, anywhere."""
    for _ in range(data.draw(st.integers(0, 3))):
        begin = data.draw(st.integers(0, len(sent)))
        end = begin + data.draw(st.integers(0, 4))
        sent = sent[:begin] + data.draw(st.binary(max_size=4)) + sent[end:]
    return sent


@settings(deadline=None, max_examples=100)
@draw(st.data())
def test_any_script_gets_what_it_declares_or_nothing(data: st.DataObject) -> None:
    described = data.draw(interfaces())
    message = classes(described)["CallRequest"]()
    for parameter in described.parameters:
        put(message, snake_case(parameter.name), data.draw(OF_TYPE[parameter.type]))
    require_fit_or_refusal(described, damaged(data, message.SerializeToString()))


@settings(deadline=None, max_examples=300)
@draw(st.binary(max_size=60))
def test_any_bytes_are_arguments_or_refused_by_name(sent: bytes) -> None:
    require_fit_or_refusal(every_type(), sent)


def require_fit_or_refusal(described: Interface, sent: bytes) -> None:
    refused = ErrorCode.STALE_SCHEMA
    arguments: dict[str, Any] = {}
    try:
        arguments = codec.arguments_of(TypedService(described), sent)
    except LokiError as error:
        refused = error.code
    assert refused in {ErrorCode.ARGUMENT_INVALID, ErrorCode.STALE_SCHEMA}
    known = {parameter.name: parameter for parameter in described.parameters}
    for name, value in arguments.items():
        fit(known[name], unpack(value))
