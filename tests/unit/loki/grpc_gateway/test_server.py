"""The gRPC server itself: hostile clients, discovery, draining, its address."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from loki.core.address import port_of
from loki.errors import ConfigurationError
from loki.grpc_gateway import server
from loki.messages.envelope import Done
from loki.messages.execution import (
    CancelRun,
    Cause,
    RunFinished,
    SubmitRun,
)
from loki.messages.gateway import GrpcConfig
from loki.messages.interface import SendInterfaces
from loki.messages.library import (
    GetScript,
    ListScripts,
    ScriptFound,
    ScriptsListed,
)
from loki.messages.value import pack
from loki.v1 import (
    service_pb2,
    service_pb2_grpc,
    value_pb2,
)
from tests.unit.loki.conftest import TIMEOUT_S
from tests.unit.loki.grpc_gateway.rpc import SERVICE, execute, status_of


class TestReady:
    def test_it_is_ready_when_the_library_has_published(self, shell, host) -> None:
        host(shell)
        assert shell.readied.wait(TIMEOUT_S)
        assert len(shell.sent(SendInterfaces)) == 1

    def test_it_is_ready_without_a_library_that_answers(self, shell, host, monkeypatch) -> None:
        monkeypatch.setattr(server, "PATIENCE_S", 0.01)
        shell.silent.add(SendInterfaces)
        host(shell)
        assert shell.readied.wait(TIMEOUT_S)


class TestHostileClients:
    def test_a_request_beyond_4_mib_is_refused_cleanly(self, shell, stub) -> None:
        big = value_pb2.ScriptValue(bytes_value=bytes(5 * 1024 * 1024))
        with pytest.raises(grpc.RpcError) as raised:
            stub.ExecuteScript(execute(n=big))
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert shell.sent(SubmitRun) == []

    def test_bytes_that_are_no_request_are_refused_cleanly(self, channel) -> None:
        call = channel.unary_unary(f"/{SERVICE}/GetScript")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"\xff\xff\xff")
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert b"ARGUMENT_INVALID" in details["ErrorInfo"].value

    def test_an_argument_nested_too_deep_is_refused_cleanly(self, channel) -> None:
        def field(number: int, payload: bytes) -> bytes:
            size, length = len(payload), b""
            while size > 127:
                length += bytes([size & 127 | 128])
                size >>= 7
            return bytes([number << 3 | 2]) + length + bytes([size]) + payload

        value = b""
        for _ in range(200):
            value = field(7, field(1, value))  # array_value.items
        argument = field(1, b"n") + field(2, value)
        request = field(1, field(1, b"average") + field(5, argument))
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/ExecuteScript")(request)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    def test_an_unknown_method_is_unimplemented(self, channel) -> None:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/NoSuch")(b"")
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED

    def test_s_10_1_2_a_bug_leaves_an_incident_and_nothing_else(self, shell, stub, caplog) -> None:
        def broken(_request: GetScript) -> ScriptFound:
            raise ZeroDivisionError("secret /etc/passwd")

        shell.answers[GetScript] = broken
        with pytest.raises(grpc.RpcError) as raised:
            stub.GetScript(service_pb2.GetScriptRequest(name="average"))
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.INTERNAL
        assert "secret" not in raised.value.details()
        assert b"secret" not in b"".join(detail.value for detail in details.values())
        incident = raised.value.details().split()[-1]
        (record,) = [r for r in caplog.records if incident in r.getMessage()]
        assert record.exc_info is not None


class TestDiscovery:
    def test_health_knows_the_server_and_the_service(self, channel) -> None:
        health = health_pb2_grpc.HealthStub(channel)
        for name in "", SERVICE:
            answer = health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def test_reflection_lists_services_and_gives_their_files(self, channel) -> None:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        requests = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="loki.v1.ScriptError"),
        ]
        listed, service, error = stub.ServerReflectionInfo(iter(requests))
        names = {entry.name for entry in listed.list_services_response.service}
        assert {SERVICE, "grpc.health.v1.Health"} <= names
        assert service.file_descriptor_response.file_descriptor_proto
        assert error.file_descriptor_response.file_descriptor_proto


class TestDraining:
    def test_runs_finish_new_ones_are_refused_and_health_says_so(
        self, hosted, shell, stub, channel
    ) -> None:
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        running = stub.ExecuteScript.future(execute())
        run = shell.wait_for(SubmitRun).run
        drained = hosted.drain(1000)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as raised:
            stub.ExecuteScript(execute())
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.UNAVAILABLE
        assert b"DRAINING" in details["ErrorInfo"].value
        assert "RetryInfo" in details
        assert not drained.done()
        value = pack("x" * 500_000)
        hosted.deliver(RunFinished(run=run, script="a", cause=Cause.FINISHED, value=value))
        assert len(running.result(TIMEOUT_S).result.value.string_value) == 500_000
        drained.result(TIMEOUT_S)  # The open Watch does not hold it up.

    def test_no_open_watch_holds_it_up(self, hosted, shell, stub, channel) -> None:
        health = health_pb2_grpc.HealthStub(channel)
        healths = health.Watch(health_pb2.HealthCheckRequest(service=""))
        events = stub.WatchEvents(service_pb2.WatchEventsRequest())
        logs = stub.WatchLogs(service_pb2.WatchLogsRequest(follow=True))
        asked = threading.Event()

        def questions() -> Iterator[Any]:
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            asked.wait(TIMEOUT_S)

        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = reflection.ServerReflectionInfo(questions())
        assert next(answers).HasField("list_services_response")
        assert next(healths).status == health_pb2.HealthCheckResponse.SERVING
        assert next(events).HasField("started")
        assert logs.initial_metadata()
        hosted.drain(1000).result(TIMEOUT_S)
        assert next(healths).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as raised:
            next(events)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        asked.set()

    def test_what_does_not_end_within_the_settings_is_cancelled(self, shell, host) -> None:
        hosted = host(shell, grpc=GrpcConfig(drain_s=0.01))
        with grpc.insecure_channel(hosted.address) as channel:
            stub = service_pb2_grpc.LokiServiceStub(channel)
            self._ends(hosted, shell, stub)

    def _ends(self, hosted, shell, stub) -> None:
        shell.answers[CancelRun] = lambda _: Done()
        running = stub.ExecuteScript.future(execute())
        run = shell.wait_for(SubmitRun).run
        hosted.drain(1000).result(TIMEOUT_S)
        code, details = status_of(running.exception(TIMEOUT_S))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert b"DRAINING" in details["ErrorInfo"].value
        assert "RetryInfo" in details
        assert shell.wait_for(CancelRun).run == run


class TestBinding:
    def test_a_taken_port_is_named_with_a_remedy(self, shell, host) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(ConfigurationError, match=f"{port}.*[Aa]ddress.*in use.*grpc_port"):
                host(shell, port=port)

    def test_a_second_gateway_cannot_share_the_port(self, hosted, shell, host) -> None:
        with pytest.raises(ConfigurationError):
            host(shell, port=port_of(hosted.address))

    def test_a_restarted_gateway_keeps_its_port(self, shell, host: Callable[..., Any]) -> None:
        first = host(shell)
        first.drain(0).result(TIMEOUT_S)
        shell.previous = first.gateway.detail
        assert host(shell).address == first.address

    @pytest.mark.parametrize("address", ["0.0.0.0", "192.168.0.7", "::", "example.org"])
    def test_other_devices_may_not_connect_without_credentials(self, shell, host, address) -> None:
        with pytest.raises(ConfigurationError, match="credentials"):
            host(shell, host=address)

    def test_ipv6_loopback_is_served(self, shell, host, need) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            need("ipv6", "the device has no ::1", here=False)
        shell.answers[ListScripts] = lambda _: ScriptsListed(scripts=())
        hosted = host(shell, host="::1")
        assert hosted.address.startswith("[::1]:")
        with grpc.insecure_channel(hosted.address) as channel:
            stub = service_pb2_grpc.LokiServiceStub(channel)
            stub.ListScripts(service_pb2.ListScriptsRequest())
