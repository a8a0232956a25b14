"""Clients that learn all that they know by server reflection, from a whole Loki."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from loki.client import LokiClient
from loki.testing import LokiServer
from loki.v1 import script_pb2
from tests.e2e.foreign import buf_curl, need_node, output_of

pytestmark = pytest.mark.e2e

PACKAGE = "loki.tools.v1."
STATIC = {
    "loki.v1.LokiService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
}
TIMEOUT_S = 60.0
VERSIONS = ("v1", "v1alpha")
Health = health_pb2.HealthCheckResponse


def definition(name: str) -> script_pb2.ScriptDefinition:
    """Gives back the integer that it is called with."""
    number = script_pb2.ParameterDefinition(
        name="n", type="VALUE_TYPE_INTEGER", description="What comes back"
    )
    return script_pb2.ScriptDefinition(
        name=name, source="return params.n", parameters=[number], return_type="VALUE_TYPE_INTEGER"
    )


@pytest.fixture(scope="module")
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        connected.register_script(definition("exact"))
        yield connected


@pytest.fixture(scope="module")
def channel(server: LokiServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as opened:
        yield opened


@pytest.fixture
def database(channel: grpc.Channel, client: LokiClient) -> ProtoReflectionDescriptorDatabase:
    """What a client holds that has just come."""
    return ProtoReflectionDescriptorDatabase(channel)


@pytest.fixture
def foreign(need: Callable[..., None], client: LokiClient) -> None:
    need_node(need)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.usefixtures("foreign")
class TestBuf:
    def test_it_lists_the_methods(self, server: LokiServer, version: str) -> None:
        methods = buf_curl(server, "--reflect-protocol", f"grpc-{version}", "--list-methods", "")
        assert {f"{PACKAGE}ExactService/Call", f"{PACKAGE}ExactService/CallStream"} <= set(
            methods.split()
        )
        assert {method.partition("/")[0] for method in methods.split()} >= STATIC

    def test_it_calls_and_streams(self, server: LokiServer, version: str) -> None:
        options = ("--reflect-protocol", f"grpc-{version}", "-d")
        path = f"/{PACKAGE}ExactService/Call"
        answer = buf_curl(server, *options, '{"n": "9007199254740993"}', path)
        assert json.loads(answer)["value"] == "9007199254740993"
        path = f"/{PACKAGE}CountdownService/CallStream"
        events = each(buf_curl(server, *options, '{"from": 2, "interval_ms": 0}', path))
        assert [e["value"]["intValue"] for e in events if "value" in e] == ["2", "1"]
        assert events[-1]["result"]["value"] == "lift-off"

    def test_it_calls_what_is_always_there(self, server: LokiServer, version: str) -> None:
        body = {"input": {"name": "hello", "arguments": {"name": {"stringValue": version}}}}
        options = ("--reflect-protocol", f"grpc-{version}", "-d", json.dumps(body))
        answer = buf_curl(server, *options, "/loki.v1.LokiService/ExecuteScript")
        assert json.loads(answer)["result"]["value"] == {"stringValue": f"hello, {version}"}


def each(text: str) -> list[dict[str, Any]]:
    """JSON values one after the other."""
    decoder, values = json.JSONDecoder(), []
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:]
    return values


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.usefixtures("foreign")
def test_node_knows_an_address_and_finds_the_rest(server: LokiServer, version: str) -> None:
    lines = output_of("node", "reflection.js", server.address, version).splitlines()
    learned = {fact["step"]: fact for fact in map(json.loads, lines)}
    assert set(learned["services"]["names"]) >= {*STATIC, f"{PACKAGE}ExactService"}
    assert learned["methods"]["names"] == ["Call", "CallStream"]
    assert learned["call"]["value"] == "9007199254740993"
    assert learned["stream"]["value"] == "lift-off"
    assert {"output", "progress", "value", "result"} == set(learned["stream"]["chunks"])


def test_python_finds_types_and_comments_in_a_pool(
    channel: grpc.Channel, database: ProtoReflectionDescriptorDatabase
) -> None:
    service = DescriptorPool(database).FindServiceByName(f"{PACKAGE}ExactService")
    method = service.methods_by_name["Call"]
    request, response = map(GetMessageClass, (method.input_type, method.output_type))
    call = channel.unary_unary(
        f"/{service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    assert call(request(n=2**53 + 1), timeout=TIMEOUT_S).value == 2**53 + 1  # type: ignore[call-arg]
    file = database.FindFileContainingSymbol(service.full_name)
    comments = "".join(each.leading_comments for each in file.source_code_info.location)
    assert "What comes back" in comments


def test_s_3_1_9_the_messages_of_the_contract_are_found(
    database: ProtoReflectionDescriptorDatabase,
) -> None:
    pool = DescriptorPool(database)
    for name in (
        "ParameterDefinition",
        "ScriptCapability",
        "ChildServiceInfo",
        "ScriptInput",
        "ScriptOutput",
        "ScriptChunk",
        "ScriptResult",
        "ScriptError",
    ):
        assert pool.FindMessageTypeByName(f"loki.v1.{name}").fields, name


def test_s_2_1_3_capabilities_and_reflection_agree(
    client: LokiClient, database: ProtoReflectionDescriptorDatabase
) -> None:
    scripts = client.get_capabilities().scripts
    assert len(scripts) > 1
    reflected = {name for name in database.get_services() if name.startswith(PACKAGE)}
    assert {script.method.partition("/")[0] for script in scripts} == reflected


def test_a_service_comes_with_its_script_and_goes_with_it(
    channel: grpc.Channel, client: LokiClient
) -> None:
    """A registration that is acknowledged is seen: there is nothing to wait for."""
    service = f"{PACKAGE}PassingService"
    health = health_pb2_grpc.HealthStub(channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
    assert next(watch).status == Health.SERVICE_UNKNOWN

    client.register_script(definition("passing"))
    assert service in ProtoReflectionDescriptorDatabase(channel).get_services()
    assert next(watch).status == Health.SERVING
    call = channel.unary_unary(f"/{service}/Call")
    assert call(b"\x08\x07", timeout=TIMEOUT_S)

    client.unregister_script("passing")
    database = ProtoReflectionDescriptorDatabase(channel)
    assert service not in database.get_services()
    with pytest.raises(KeyError):
        database.FindFileContainingSymbol(service)
    assert next(watch).status == Health.SERVICE_UNKNOWN
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\x08\x07", timeout=TIMEOUT_S)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    watch.cancel()
