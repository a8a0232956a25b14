"""SIGTERM with calls under way: they end, up to the limit of the settings; nobody waits twice."""

import signal
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loki.client import LokiClientError, Result
from loki.client.stream import ExecutionStream
from loki.testing import LokiServer

TOOLS = """
[[tools]]
name = "second"
return_type = "integer"
script = { inline = "loki.emit('asleep') loki.sleep(1000) return 1" }

[[tools]]
name = "minute"
return_type = "void"
script = { inline = "loki.emit('asleep') loki.sleep(60000)" }
[tools.limits]
max_execution_time_ms = 60000
"""
PATIENCE_S = 20.0
State = health_pb2.HealthCheckResponse


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, environment={"LOKI_GRPC__DRAIN_S": request.param}) as running:
        assert running.tools == ("minute", "second"), running.log
        yield running


def stopping(server: LokiServer) -> None:
    """SIGTERM, and health says so."""
    with grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == State.SERVING
        server._started().send_signal(signal.SIGTERM)
        assert next(watch).status == State.NOT_SERVING


@pytest.mark.parametrize("server", ["4"], indirect=True)
def test_a_call_finishes_and_one_beyond_the_limit_is_to_be_made_again(server: LokiServer) -> None:
    with server.client() as client, client.stream("second") as short:
        next(short)
        with client.stream("minute") as long:
            next(long)
            stopping(server)
            refused = error_of(client.stream("second"))
            *_, last = short
            cut = error_of(long)
    assert isinstance(last, Result)
    assert last.execution.value == 1
    for error in (refused, cut):
        assert (error.code_name, error.reason) == ("UNAVAILABLE", "DRAINING")
        assert error.retry_after_s is not None
    assert "has ended this execution" in str(cut)
    assert server._started().wait(PATIENCE_S) == 0


@pytest.mark.parametrize("server", ["3600"], indirect=True)
def test_who_asks_twice_does_not_wait(server: LokiServer) -> None:
    with server.client() as client, client.stream("minute") as events:
        next(events)
        stopping(server)
        server._started().send_signal(signal.SIGTERM)
        assert server._started().wait(PATIENCE_S) == 128 + signal.SIGINT


def error_of(events: ExecutionStream) -> LokiClientError:
    with pytest.raises(LokiClientError) as raised:
        list(events)
    return raised.value
