"""The gRPC server's bounds, as clients meet them."""

import logging
import resource
import socket
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from loki.grpc_gateway.option import make_room, options
from loki.messages.gateway import GrpcConfig
from loki.messages.library import ListScripts, ScriptsListed
from loki.v1 import service_pb2, service_pb2_grpc
from tests.unit.loki.conftest import TIMEOUT_S, FakeShell, Hosted

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""What an HTTP/2 client begins with. Source: RFC 9113, 3.4."""
GOAWAY = 7


@pytest.fixture(autouse=True)
def as_many_files_as_before() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def connect(hosted: Hosted) -> socket.socket:
    """A connection of HTTP/2, as far as the server lets it come."""
    host, port = hosted.address.split(":")
    made = socket.create_connection((host, int(port)), TIMEOUT_S)
    made.sendall(PREFACE)
    return made


def is_closed(hosted: Hosted) -> bool:
    """Whether another connection hears nothing but its end."""
    try:
        with connect(hosted) as another:
            return another.recv(9) == b""
    except ConnectionError:
        return True


def list_scripts(hosted: Hosted, shell: FakeShell, **options: Any) -> None:
    shell.answers[ListScripts] = lambda _: ScriptsListed(scripts=())
    with grpc.insecure_channel(hosted.address, list(options.pop("channel", ()))) as channel:
        stub: Any = service_pb2_grpc.LokiServiceStub(channel)
        stub.ListScripts(
            service_pb2.ListScriptsRequest(), timeout=TIMEOUT_S, wait_for_ready=True, **options
        )


def test_a_connection_too_many_is_closed_and_one_that_ends_makes_room(
    shell: FakeShell, host: Callable[..., Hosted]
) -> None:
    hosted = host(shell, grpc=GrpcConfig(max_connections=1))
    with connect(hosted) as first:
        assert first.recv(9)
        assert is_closed(hosted)
    list_scripts(hosted, shell)


def test_a_connection_without_calls_is_ended_in_peace(
    shell: FakeShell, host: Callable[..., Hosted]
) -> None:
    hosted = host(shell, grpc=GrpcConfig(max_connection_idle_s=1))
    with connect(hosted) as idle:
        said = b""
        while piece := idle.recv(1000):
            said += piece
    assert b"idle" in said
    assert said.index(bytes((GOAWAY, 0))) > 0


def test_metadata_have_a_bound(shell: FakeShell, host: Callable[..., Hosted]) -> None:
    hosted = host(shell, grpc=GrpcConfig(max_metadata_bytes=16 * 1024))
    list_scripts(hosted, shell, metadata=(("k", "v" * 12_000),))
    with pytest.raises(grpc.RpcError) as raised:
        list_scripts(hosted, shell, metadata=(("k", "v" * 20_000),))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    list_scripts(hosted, shell)


def test_a_message_has_a_bound(shell: FakeShell, host: Callable[..., Hosted]) -> None:
    hosted = host(shell, grpc=GrpcConfig(max_message_bytes=1000))
    with grpc.insecure_channel(hosted.address) as channel:
        stub: Any = service_pb2_grpc.LokiServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.ListScripts(service_pb2.ListScriptsRequest(pattern="x" * 1001))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_client_that_pings_often_enough_for_nat_is_not_cut_off(
    shell: FakeShell, host: Callable[..., Hosted]
) -> None:
    hosted = host(shell, grpc=GrpcConfig(min_ping_interval_s=0))
    ping = bytes((0, 0, 8, 6, 0, 0, 0, 0, 0)) + b"8 bytes!"
    acknowledged = bytes((0, 0, 8, 6, 1, 0, 0, 0, 0)) + b"8 bytes!"
    with connect(hosted) as client:
        said = b""
        for count in range(1, 11):
            client.sendall(ping)
            while said.count(acknowledged) < count:
                piece = client.recv(1000)
                assert piece, said
                said += piece


def test_what_is_zero_is_left_to_grpc() -> None:
    named = dict(options(GrpcConfig(max_connection_idle_s=0), 7))
    assert named["grpc.max_allowed_incoming_connections"] == 7
    assert "grpc.max_connection_idle_ms" not in named
    assert "grpc.max_connection_age_ms" not in named
    aged = dict(options(GrpcConfig(max_connection_age_s=5, max_connection_age_grace_s=2), 7))
    assert (aged["grpc.max_connection_age_ms"], aged["grpc.max_connection_age_grace_ms"]) == (
        5000,
        2000,
    )


def test_more_files_may_be_open_than_before(caplog: pytest.LogCaptureFixture) -> None:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        assert make_room(100, logging.getLogger("loki.gateway")) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
    assert not caplog.records


def test_a_system_that_allows_too_few_files_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, _limits: None)
    assert make_room(1000, logging.getLogger("loki.gateway")) == 512
    assert "grpc.max_connections = 1000" in caplog.text


def test_a_connection_that_is_old_is_ended_when_its_calls_had_time(
    shell: FakeShell, host: Callable[..., Hosted]
) -> None:
    hosted = host(shell, grpc=GrpcConfig(max_connection_age_s=1, max_connection_age_grace_s=1))
    with grpc.insecure_channel(hosted.address) as channel:
        stub: Any = service_pb2_grpc.LokiServiceStub(channel)
        watch = stub.WatchEvents(service_pb2.WatchEventsRequest())
        with pytest.raises(grpc.RpcError) as raised:
            for _ in watch:
                pass
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
