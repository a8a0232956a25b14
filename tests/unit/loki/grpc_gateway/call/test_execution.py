"""Streams are as fast as their readers, and what cannot be sent ends the run."""

from typing import Any

import grpc
import msgspec
import pytest

from loki.messages.execution import (
    CancelRun,
    ChunkTaken,
    OutputWritten,
    SubmitRun,
    ValueEmitted,
)
from loki.messages.interface import PublishInterfaces
from loki.messages.lifecycle import ChildrenListed, DescribeChildren
from loki.v1 import service_pb2, service_pb2_grpc
from tests.unit.loki.grpc_gateway.interface import interface
from tests.unit.loki.grpc_gateway.rpc import status_of, stream

STREAMS = {
    "StreamScriptExecution": (
        "/loki.v1.LokiService/StreamScriptExecution",
        stream().SerializeToString(),
    ),
    "CallStream": ("/loki.tools.v1.AverageService/CallStream", b""),
}
every_stream = pytest.mark.parametrize(
    ("path", "request_bytes"), STREAMS.values(), ids=STREAMS.keys()
)


@pytest.fixture(autouse=True)
def offered(hosted: Any) -> None:
    hosted.publish(PublishInterfaces(changed=(interface("average"),)))


@every_stream
def test_a_reader_that_is_slow_holds_the_acknowledgements_back(
    hosted, shell, path, request_bytes
) -> None:
    """A chunk beyond HTTP/2's window is taken only when the client reads."""
    fixed_window = (("grpc.http2.bdp_probe", 0),)  # Else it may grow to hold all of them.
    shell.answers[DescribeChildren] = lambda _: ChildrenListed(children=())
    with grpc.insecure_channel(hosted.address, fixed_window) as channel:
        stub = service_pb2_grpc.LokiServiceStub(channel)
        call = channel.unary_stream(path)(request_bytes)
        run = shell.wait_for(SubmitRun).run
        text = "x" * 1024 * 1024
        chunks = [OutputWritten(run=run, sequence=n, text=text) for n in range(1, 17)]
        hosted.deliver(*chunks)
        next(call)
        shell.wait_for(ChunkTaken)
        for _ in chunks:  # Time enough for all, were they not held back.
            stub.GetChildrenStatus(service_pb2.GetChildrenStatusRequest())
        assert len(shell.sent(ChunkTaken)) < len(chunks)
        for _ in chunks[1:]:
            next(call)
        shell.wait_for(ChunkTaken, len(chunks))
        call.cancel()
        shell.wait_for(CancelRun)


@every_stream
def test_a_value_that_no_answer_can_hold_ends_the_run(
    hosted, shell, channel, path, request_bytes
) -> None:
    deep: list[Any] = []
    for _ in range(40):
        deep = [deep]
    call = channel.unary_stream(path)(request_bytes)
    run = shell.wait_for(SubmitRun).run
    hosted.deliver(
        ValueEmitted(run=run, sequence=1, value=msgspec.Raw(msgspec.msgpack.encode(deep)))
    )
    with pytest.raises(grpc.RpcError) as raised:
        next(call)
    _, details = status_of(raised.value)
    assert b"RETURN_TYPE_MISMATCH" in details["ErrorInfo"].value
    assert shell.wait_for(CancelRun).run == run
