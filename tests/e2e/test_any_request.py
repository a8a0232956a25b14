"""Any request to any method: it is answered or refused, never with a bug, and Loki goes on."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # Ships no marker.
from grpc_status import rpc_status
from hypothesis import HealthCheck, given, settings

from loki.testing import LokiServer
from loki.v1 import backup_pb2, series_pb2, service_pb2, settings_pb2
from tests.generator.request import requests

pytestmark = pytest.mark.e2e

TOOLS = """
[[tools]]
name = "echo"
parameters = [{ name = "n", type = "integer" }]
return_type = "integer"
script = { inline = "return params.n" }

[[tools]]
name = "filler"
return_type = "void"
permissions = { series = true }
script = { inline = "for i = 1, 100 do hel:series_append('temps', i, i * 3600) end" }
"""
MODULES = (backup_pb2, series_pb2, service_pb2, settings_pb2)
METHODS = [
    method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.client_streaming
]
WORDS = {
    "script": ("filler",),
    "name": ("temps", "echo", "filler"),
    "arguments": ("n",),
    "source": ("return 1",),
    "language": ("lua",),
    "statistic": ("mean", "p95", "first"),
    "keys": ("series", "gpio"),
    "key": ("resource_limits.max_execution_time_ms", "children_config.hel.series_keep_rows"),
}
"""What is there, or does something; by the field that it is for."""
FIXED = {"UpdateSettings": {"validate_only": True}}
"""What would change how the other tests fare."""
DEADLINE_S = 10.0
FOLLOWED_S = 0.2
"""A log that is followed has no end, and may have nothing to tell."""
EACH = 40
CODE = grpc.StatusCode
BAD = (CODE.INTERNAL, CODE.UNKNOWN)
SCRIPTS_FAULTS = {"SCRIPT_ERROR", "RETURN_TYPE_MISMATCH", "IO"}
"""Reasons for which an answer may be UNKNOWN: they are the script's."""


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        with running.client() as client:
            client.execute("filler")
        yield running


@pytest.fixture(scope="module")
def channel(server: LokiServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as open_channel:
        yield open_channel


def ask(channel: grpc.Channel, method: MethodDescriptor, request: Any) -> grpc.RpcError | None:
    """How it was refused, None where it was answered; a stream's first message is an answer."""
    kind = "unary_stream" if method.server_streaming else "unary_unary"
    call = getattr(channel, kind)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=GetMessageClass(method.input_type).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    follows = getattr(request, "follow", False)
    try:
        answer = call(request, timeout=FOLLOWED_S if follows else DEADLINE_S)
        if method.server_streaming:
            next(answer, None)
            answer.cancel()
    except grpc.RpcError as error:
        return error
    return None


def fault(error: grpc.RpcError | None) -> str:
    """What makes that answer one that nobody should get, "" where nothing does."""
    if error is None:
        return ""
    reasons = set()
    rich = rpc_status.from_call(error)
    for detail in rich.details if rich is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            reasons.add(info.reason)
    scripts = error.code() is CODE.UNKNOWN and reasons & SCRIPTS_FAULTS
    return f"{reasons}: {error}" if error.code() in BAD and not scripts else ""


def well(server: LokiServer, log_before: int) -> None:
    """The log has nothing that happened meanwhile, nobody was restarted, and scripts run."""
    told = server.log[log_before:]
    assert not [word for word in ("Traceback", "incident") if word in told], told
    with server.client() as client:
        assert client.execute("echo", {"n": 7}).value == 7
        assert {child.restarts for child in client.get_children_status()} == {0}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_any_request_is_answered_or_refused(
    server: LokiServer, channel: grpc.Channel, method: MethodDescriptor
) -> None:
    before = len(server.log)

    @settings(max_examples=EACH, suppress_health_check=list(HealthCheck))
    @given(requests(method.input_type, WORDS, **FIXED.get(method.name, {})))
    def asked(request: Any) -> None:
        assert fault(ask(channel, method, request)) == ""

    asked()
    well(server, before)
