"""A channel to the gateway of a test, and a stub on it."""

from typing import Any

import grpc
import pytest

from loki.v1 import service_pb2_grpc


@pytest.fixture
def channel(hosted: Any) -> Any:
    with grpc.insecure_channel(hosted.address) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.Channel) -> service_pb2_grpc.LokiServiceStub:
    return service_pb2_grpc.LokiServiceStub(channel)
