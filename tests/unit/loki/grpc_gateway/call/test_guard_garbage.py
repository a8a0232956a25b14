"""Bytes that are no message, to every method of a server: refused alike, and never a traceback."""

import logging
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from loki.core.access.credential import Credentials
from loki.grpc_gateway.server import SERVICES
from loki.messages.backup import EndBackup
from loki.messages.envelope import Done
from loki.messages.interface import PublishInterfaces
from loki.messages.restore import EndRestore
from tests.unit.loki.conftest import TIMEOUT_S
from tests.unit.loki.grpc_gateway.interface import interface

GARBAGE = (b"\xff\xff", b"\x0a\xff", b"\x80" * 11)
CODE = grpc.StatusCode
Method = tuple[str, MethodDescriptorProto]


@pytest.fixture
def hosted(shell: Any, host: Any) -> Any:
    """With one script, and a keeper."""
    shell.answers |= {EndRestore: lambda _: Done(), EndBackup: lambda _: Done()}
    hosted = host(shell, keeper="hel")
    hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))
    return hosted


def methods_of(channel: grpc.Channel) -> list[Method]:
    """Each method that the server itself tells of, by its path."""
    ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    (listed,) = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    found = []
    for service in listed.list_services_response.service:
        name = service.name
        asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
        (answer,) = ask(iter([asked]))
        first = answer.file_descriptor_response.file_descriptor_proto[0]
        file = FileDescriptorProto.FromString(first)
        (defined,) = [s for s in file.service if f"{file.package}.{s.name}" == name]
        found += [(f"/{name}/{method.name}", method) for method in defined.method]
    return found


def refusal(channel: grpc.Channel, method: Method, data: bytes) -> grpc.RpcError:
    """What the server answers to one message of these bytes."""
    path, kind = method
    given: Any = iter([data]) if kind.client_streaming else data
    sides = [
        "stream" if streams else "unary"
        for streams in (kind.client_streaming, kind.server_streaming)
    ]
    call = getattr(channel, "_".join(sides))(path)
    with pytest.raises(grpc.RpcError) as raised:
        _ = [*call(given, timeout=TIMEOUT_S)]  # A unary one raises before.
    return raised.value


def troubles(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged that somebody has to look at, whoever logged it."""
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING or r.exc_info]


def test_every_method_refuses_what_is_no_message(channel: Any, caplog: Any) -> None:
    methods = methods_of(channel)
    assert len(methods) >= sum(len(service.methods) for service in SERVICES) + 3 + 2 + 2
    for method in methods:
        for data in GARBAGE:
            error = refusal(channel, method, data)
            assert error.code() is CODE.INVALID_ARGUMENT, (method[0], data, error)
            assert "Exception" not in error.details()
            assert "<class" not in error.details()
    assert troubles(caplog) == []
    health = health_pb2_grpc.HealthStub(channel)
    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_stranger_learns_no_more_and_leaves_no_traceback(
    hosted: Any, channel: Any, caplog: Any
) -> None:
    """Health answers everybody; all else tells a stranger only that it is one."""
    methods = methods_of(channel)
    hosted.let_in(Credentials(anonymous_loopback=False))
    for method in methods:
        health = method[0].startswith("/grpc.health.v1.Health/")
        wanted = CODE.INVALID_ARGUMENT if health else CODE.UNAUTHENTICATED
        assert refusal(channel, method, GARBAGE[0]).code() is wanted, method[0]
    assert [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []
