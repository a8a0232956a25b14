"""Schemas as the gateway makes them, read by the client."""

import inspect
from typing import Any

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from loki.client.event import Output, Result
from loki.client.tool import StaleSchemaError, ToolSchema, service_of
from loki.grpc_gateway.convert import run
from loki.grpc_gateway.typed import codec, schema
from loki.messages.execution import Cause, OutputWritten, RunFinished
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import pack, unpack
from tests.unit.loki.client.tool_file import files_of

P = Parameter
T = ValueType
KINDS = tuple(kind for kind in T if kind not in (T.VOID, T.ANY))


def interface(*parameters: Parameter, returns: ValueType = T.NUMBER) -> Interface:
    return Interface(
        name="read_sensor",
        revision="r1",
        description="Reads — Jörmungandr",
        parameters=parameters,
        return_type=returns,
        numbers=tuple(range(1, len(parameters) + 1)),
    )


def schema_of(declared: Interface) -> ToolSchema:
    return ToolSchema(declared.name, files_of(declared))


SENSOR = P(name="sensor", type=T.STRING, description="Sensor id")
COUNT = P(name="n", type=T.INTEGER, required=False, default=pack(5))


def test_names_with_one_form_have_one_service() -> None:
    assert (
        service_of("read_sensor") == service_of("ReadSensor") == "loki.tools.v1.ReadSensorService"
    )


def test_it_says_what_its_author_wrote() -> None:
    read = schema_of(interface(SENSOR, COUNT))
    assert str(read.signature) == "(*, sensor: str | None = None, n: int | None = None) -> float"
    assert "Reads — Jörmungandr" in read.doc
    assert "sensor: Sensor id Type: string. Required." in read.doc
    assert "Default: 5." in read.doc


def test_what_is_no_name_in_python_is_taken_by_others() -> None:
    read = schema_of(interface(P(name="from", type=T.INTEGER), returns=T.VOID))
    assert read.signature.parameters["others"].kind is inspect.Parameter.VAR_KEYWORD
    assert read.signature.return_annotation is None
    assert read.request({"from": 1}, stream=False)


def test_others_are_no_parameter_of_that_name() -> None:
    read = schema_of(interface(*(P(name=name, type=T.INTEGER) for name in ("class", "others"))))
    assert list(read.signature.parameters) == ["others", "others_"]


VALUES: dict[ValueType, st.SearchStrategy[Any]] = {
    T.STRING: st.text(st.characters(exclude_categories=["Cs"])),
    T.INTEGER: st.integers(-(2**63), 2**63 - 1),
    T.NUMBER: st.floats(allow_nan=False),
    T.BOOLEAN: st.booleans(),
    T.BYTES: st.binary(),
    T.ARRAY: st.lists(st.integers(0, 9) | st.none()),
    T.OBJECT: st.dictionaries(st.text("abc"), st.booleans() | st.lists(st.text("ä"))),
}


@given(st.fixed_dictionaries({}, optional={kind.value: VALUES[kind] for kind in KINDS}))
def test_the_gateway_reads_what_was_given(arguments: dict[str, Any]) -> None:
    declared = interface(*(P(name=kind.value, type=kind) for kind in KINDS))
    request = schema_of(declared).request(arguments, stream=False)
    assert request == schema_of(declared).request(arguments, stream=True)
    service = codec.TypedService(declared)
    read = {name: unpack(value) for name, value in codec.arguments_of(service, request).items()}
    assert read == arguments


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"senso": "x"}, r"read_sensor\(\) has no parameter 'senso'; did you mean 'sensor'\?"),
        ({"sensor": 1}, r"read_sensor\(\): sensor must be str, not int"),
        ({"n": True}, r"n must be int, not bool"),
        ({"n": 1.0}, r"n must be int, not float"),
        ({"list": "abc"}, r"list must be list, not str"),
        ({"table": [1]}, r"table must be dict, not list"),
        ({"on": 1}, r"on must be bool, not int"),
        ({"raw": "x"}, r"raw must be bytes, not str"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], problem: str) -> None:
    others = (
        P(name="list", type=T.ARRAY),
        P(name="table", type=T.OBJECT),
        P(name="on", type=T.BOOLEAN),
        P(name="raw", type=T.BYTES),
    )
    with pytest.raises(TypeError, match=problem):
        schema_of(interface(SENSOR, COUNT, *others)).request(arguments, stream=False)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"n": 2**63}, "n: 9223372036854775808 does not fit in 64 bits"),
        ({"sensor": "\ud800"}, "sensor: not valid Unicode"),
    ],
)
def test_what_cannot_be_sent_is_named(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        schema_of(interface(SENSOR, COUNT)).request(arguments, stream=False)


def test_none_leaves_a_parameter_out() -> None:
    assert schema_of(interface(SENSOR)).request({"sensor": None}, stream=False) == b""


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_plain_values(kind: ValueType) -> None:
    read = schema_of(interface(returns=kind))

    @given(VALUES[kind])
    def check(value: Any) -> None:
        finished = RunFinished(
            run="e1", script="read_sensor", cause=Cause.FINISHED, value=pack(value), output=""
        )
        given_back = read.value(codec.response(finished, kind).SerializeToString())
        assert given_back == value
        assert type(given_back) is type(value)
        streamed = codec.stream_response(finished, 3, 10**9, return_type=kind)
        event = read.event(streamed.SerializeToString())
        assert isinstance(event, Result)
        assert (event.execution.value, event.execution.id, event.sequence) == (value, "e1", 3)

    check()


def test_without_a_result_there_is_none() -> None:
    finished = RunFinished(run="e1", script="read_sensor", cause=Cause.FINISHED)
    response = codec.response(finished, T.VOID).SerializeToString()
    assert schema_of(interface(returns=T.VOID)).value(response) is None


def test_other_events_are_those_of_any_stream() -> None:
    said = OutputWritten(run="e1", sequence=1, text="hi\n")
    response = run.stream_response(said, 1, 10**9).SerializeToString()
    event = schema_of(interface()).event(response)
    assert isinstance(event, Output)
    assert event.text == "hi\n"


def test_an_answer_by_another_schema_is_no_silent_loss() -> None:
    finished = RunFinished(run="e1", script="read_sensor", cause=Cause.FINISHED, value=pack("new"))
    response = codec.response(finished, T.STRING).SerializeToString()
    with pytest.raises(StaleSchemaError, match="'read_sensor' has another schema now"):
        schema_of(interface(returns=T.INTEGER)).value(response)


def test_the_files_may_come_in_any_order_after_the_first() -> None:
    own, *imports = files_of(interface(SENSOR))
    assert "sensor" in ToolSchema("read_sensor", (own, *reversed(imports))).signature.parameters


def test_the_message_is_the_servers() -> None:
    """A request that the client makes has the bytes that protobuf makes of the server's file."""
    declared = interface(SENSOR, COUNT)
    pool = descriptor_pool.DescriptorPool()
    own, *imports = files_of(declared)
    for file in (*imports, own):
        pool.AddSerializedFile(file)
    name = f"{schema.full_name('read_sensor')}CallRequest"
    message: Any = GetMessageClass(pool.FindMessageTypeByName(name))(sensor="t1", n=2)
    request = schema_of(declared).request({"sensor": "t1", "n": 2}, stream=False)
    assert request == message.SerializeToString()
