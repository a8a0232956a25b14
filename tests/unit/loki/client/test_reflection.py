"""Questions to servers that know one version of reflection, or both."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from loki.client import AsyncLokiClient, LokiClient, LokiClientError
from loki.client.reflection import METHODS, Request, Response, older
from loki.messages.interface import Interface
from loki.messages.script import ValueType
from tests.unit.loki.client.tool_file import files_of

CODE = grpc.StatusCode
STABLE, ALPHA = METHODS
FILES = files_of(
    Interface(
        name="hello",
        revision="r",
        description="Greets.",
        parameters=(),
        return_type=ValueType.VOID,
        numbers=(),
    )
)


@pytest.mark.parametrize(
    ("path", "code", "following"),
    [
        (STABLE, CODE.UNIMPLEMENTED, ALPHA),
        (STABLE, CODE.UNAVAILABLE, None),
        (ALPHA, CODE.UNIMPLEMENTED, None),
    ],
)
def test_the_older_version_is_for_servers_without_the_newer(
    path: str, code: grpc.StatusCode, following: str | None
) -> None:
    assert older(path, code) == following


def answer(requests: Iterator[Request], _: grpc.ServicerContext) -> Iterator[Response]:
    for _request in requests:
        response = Response()
        response.file_descriptor_response.file_descriptor_proto.extend(FILES)
        yield response


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a server that offers reflection under these paths only."""
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    handler = grpc.stream_stream_rpc_method_handler(
        answer,
        request_deserializer=Request.FromString,
        response_serializer=Response.SerializeToString,
    )
    for path in request.param:
        _, service, method = path.split("/")
        generic = grpc.method_handlers_generic_handler(service, {method: handler})
        server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize("address", [(STABLE,), (ALPHA,)], indirect=True)
def test_both_clients_ask_as_the_server_understands_it(address: str) -> None:
    async def described() -> str:
        async with AsyncLokiClient(address) as client:
            return (await client.tools.hello.described()).__doc__ or ""

    with LokiClient(address) as client:
        assert client.tools.hello.__doc__ == client.tools["hello"].__doc__
        assert (client.tools.hello.__doc__ or "").startswith("Greets.")
    assert asyncio.run(described()).startswith("Greets.")


@pytest.mark.parametrize("address", [()], indirect=True)
def test_a_server_without_reflection_says_so(address: str) -> None:
    async def described() -> None:
        async with AsyncLokiClient(address) as client:
            await client.tools.hello.described()

    with LokiClient(address) as client, pytest.raises(LokiClientError) as raised:
        client.tools["hello"]
    assert raised.value.code is CODE.UNIMPLEMENTED
    for _ in range(50):  # A stream of grpc.aio would say INTERNAL one time in ten.
        with pytest.raises(LokiClientError) as raised:
            asyncio.run(described())
        assert raised.value.code is CODE.UNIMPLEMENTED
